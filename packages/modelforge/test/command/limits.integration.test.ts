import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { eventually } from "../../../postgres/test/embedded/harness.ts"
import { TestRedis } from "../../../redis/test/TestRedis.ts"
import { startServer } from "./command.ts"
import { get, type Target } from "./http.ts"

/** Statuses of so many requests, on each server in turn. */
const ask = (targets: ReadonlyArray<Target>, requests: number) =>
  Effect.forEach(Array.from({ length: requests }), (_, index) => {
    const target = targets[index % targets.length]
    return target === undefined
      ? Effect.die(new Error("there is a server"))
      : Effect.map(get(target, "/v1/models"), ({ status }) => status)
  })

const count = (statuses: ReadonlyArray<number>, status: number) =>
  statuses.filter((one) => one === status).length

describe("servers on one Redis", () => {
  it.live("count requests together, and each by itself when it is gone", () =>
    Effect.gen(function* () {
      const redis = yield* TestRedis.make()
      const args = ["--redis-url", Redacted.value(redis.url), "--rate-limit", "6/3600"]
      const [one, other] = yield* Effect.all([startServer({ args }), startServer({ args })], {
        concurrency: 2,
      })
      const targets = [one.target, other.target]
      const together = yield* ask(targets, 20)
      assert.deepStrictEqual([count(together, 200), count(together, 429)], [6, 14])
      yield* redis.kill
      const apart = yield* ask(targets, 40)
      // Each has let some of its own through before.
      assert.strictEqual(count(apart, 200) + count(apart, 429), 40)
      assert.isAtMost(count(apart, 200), 6)
      yield* eventually("it is said", () => one.stderr().includes("Redis does not answer"))
    }),
  )

  it.live("start without it, and say so", () =>
    Effect.gen(function* () {
      const redis = yield* TestRedis.make("hidden-word")
      yield* redis.kill
      const server = yield* startServer({
        args: ["--rate-limit", "2/3600"],
        environment: { REDIS_URL: Redacted.value(redis.url) },
      })
      assert.deepStrictEqual(yield* ask([server.target], 3), [200, 200, 429])
      assert.include(server.stderr(), "Redis does not answer")
      assert.notInclude(server.stderr(), "hidden-word")
    }),
  )
})
