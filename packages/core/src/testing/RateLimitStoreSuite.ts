/** What every `RateLimitStore` must do. Subjects are fresh, so the suite can run on a store that is in use. */
import { randomUUID } from "node:crypto"
import { assert, type Vitest, layer as withLayer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { type Limits, leewayMs, type RateLimitAsk, RateLimitStore } from "../access/RateLimitStore.ts"
import type { Quota, RateLimit } from "../model/ApiKey.ts"

const fresh = () => `suite:${randomUUID()}`

const rate = (requests: number, seconds: number): RateLimit => ({ requests, seconds })
const quota = (requests: number, period: Quota["period"]): Quota => ({ requests, period })

const take = (subject: string, limits: Limits, wanted: number, unused?: RateLimitAsk["unused"]) =>
  RateLimitStore.use((store) => store.take({ subject, limits, wanted, unused }))

const rateTests = (it: Vitest.MethodsNonLive<RateLimitStore>) => {
  it.effect("a rate grants what it leaves, and says when there is more", () =>
    Effect.gen(function* () {
      const [subject, limits] = [fresh(), { rate: rate(20, 60), quota: null }]
      const first = yield* take(subject, limits, 15)
      assert.deepStrictEqual([first.granted, first.rate?.remaining, first.quota], [15, 5, null])
      const second = yield* take(subject, limits, 15)
      assert.deepStrictEqual([second.granted, second.rate?.remaining], [5, 0])
      const third = yield* take(subject, limits, 1)
      assert.deepStrictEqual([third.granted, third.rate?.remaining], [0, 0])
      assert.isAbove(third.rate?.resetMs ?? 0, 55_000)
      assert.isAtMost(third.rate?.resetMs ?? 0, 62_000)
      assert.strictEqual((yield* take(fresh(), limits, 20)).granted, 20)
    }),
  )

  it.effect("asking for nothing grants nothing and tells how it stands", () =>
    Effect.gen(function* () {
      const [subject, limits] = [fresh(), { rate: rate(20, 60), quota: quota(5, "day") }]
      const idle = yield* take(subject, limits, 0)
      assert.deepStrictEqual(
        [idle.granted, idle.rate, idle.quota?.remaining],
        [0, { remaining: 20, resetMs: 0 }, 5],
      )
    }),
  )

  it.effect("of many who ask at once, no more get some than there are", () =>
    Effect.gen(function* () {
      const [subject, limits] = [fresh(), { rate: rate(20, 60), quota: quota(30, "month") }]
      const grants = yield* Effect.all(
        Array.from({ length: 60 }, () => take(subject, limits, 1)),
        { concurrency: "unbounded" },
      )
      assert.strictEqual(grants.filter(({ granted }) => granted === 1).length, 20)
    }),
  )

  it.effect("no stretch of a window and its leeway has more than the limit, however it is asked", () =>
    Effect.gen(function* () {
      const [subject, limits] = [fresh(), { rate: rate(10, 1), quota: null }]
      const times: Array<number> = []
      // For some windows: until the limit was had four times over.
      while (times.length < 40) {
        const { granted, stamp } = yield* take(subject, limits, 1 + (times.length % 3))
        for (let request = 0; request < granted; request++) times.push(stamp)
        yield* Effect.yieldNow
      }
      const stretch = 1000 + leewayMs(limits)
      for (const [index, from] of times.entries()) {
        const within = times.slice(index).filter((time) => time - from < stretch).length
        assert.isAtMost(within, 10)
      }
    }),
  )

  it.effect("what was not used comes back, once", () =>
    Effect.gen(function* () {
      const [subject, limits] = [fresh(), { rate: rate(10, 60), quota: quota(10, "month") }]
      const { stamp } = yield* take(subject, limits, 10)
      const back = yield* take(subject, limits, 1, { requests: 4, stamp })
      assert.deepStrictEqual([back.granted, back.rate?.remaining, back.quota?.remaining], [1, 3, 3])
      // More than there were can't be given back.
      const more = yield* take(subject, limits, 0, { requests: 1000, stamp })
      assert.deepStrictEqual([more.rate?.remaining, more.quota?.remaining], [10, 10])
    }),
  )

  it.effect("what was granted too long ago is not given back", () =>
    Effect.gen(function* () {
      const [subject, limits] = [fresh(), { rate: rate(10, 60), quota: null }]
      const { stamp } = yield* take(subject, limits, 10)
      const late = yield* take(subject, limits, 1, { requests: 10, stamp: stamp - 120_000 })
      assert.strictEqual(late.granted, 0)
    }),
  )
}

const quotaTests = (it: Vitest.MethodsNonLive<RateLimitStore>) => {
  it.effect("a quota grants what it leaves until its period ends", () =>
    Effect.gen(function* () {
      for (const [period, longest] of [
        ["hour", 3_600_000],
        ["day", 86_400_000],
        ["month", 31 * 86_400_000],
      ] as const) {
        const [subject, limits] = [fresh(), { rate: null, quota: quota(7, period) }]
        const first = yield* take(subject, limits, 5)
        assert.deepStrictEqual([first.granted, first.rate, first.quota?.remaining], [5, null, 2])
        const second = yield* take(subject, limits, 5)
        assert.deepStrictEqual([second.granted, second.quota?.remaining], [2, 0])
        assert.isAtMost(second.quota?.resetMs ?? Number.POSITIVE_INFINITY, longest)
        assert.isAbove(second.quota?.resetMs ?? 0, 0)
      }
    }),
  )

  it.effect("of two limits the tighter one grants, and both count what it did", () =>
    Effect.gen(function* () {
      const subject = fresh()
      const byQuota = yield* take(subject, { rate: rate(100, 60), quota: quota(3, "month") }, 10)
      assert.deepStrictEqual([byQuota.granted, byQuota.rate?.remaining, byQuota.quota?.remaining], [3, 97, 0])
      const byRate = yield* take(fresh(), { rate: rate(3, 60), quota: quota(100, "month") }, 10)
      assert.deepStrictEqual([byRate.granted, byRate.rate?.remaining, byRate.quota?.remaining], [3, 0, 97])
    }),
  )
}

/** Registers the tests; call it at the top of a test file. */
export const suite = <E>(name: string, storeLayer: Layer.Layer<RateLimitStore, E>) =>
  withLayer(storeLayer, { timeout: "60 seconds", excludeTestServices: true })(
    `RateLimitStore (${name})`,
    (it) => {
      rateTests(it)
      quotaTests(it)
    },
  )
