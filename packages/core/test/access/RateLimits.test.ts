import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Result } from "effect"
import { TestClock } from "effect/testing"
import type { Identity } from "../../src/access/Identity.ts"
import { RateLimited } from "../../src/access/RateLimited.ts"
import { RateLimits, type Taken } from "../../src/access/RateLimits.ts"
import { ForgeConfig } from "../../src/ForgeConfig.ts"
import { ApiKey, KeyId, type Quota, type RateLimit } from "../../src/model/ApiKey.ts"
import { Email, User, UserId } from "../../src/model/User.ts"

const at = DateTime.makeUnsafe(0)

const keyed = (id: string, rateLimit: RateLimit | null, quota: Quota | null = null): Identity => ({
  _tag: "Key",
  key: new ApiKey({
    id: KeyId.make(id.padStart(12, "0")),
    name: id,
    scopes: ["predict"],
    models: null,
    expiresAt: null,
    rateLimit,
    quota,
    createdAt: at,
    createdBy: null,
    lastUsedAt: null,
    previousUntil: null,
    revokedAt: null,
  }),
})

const user = (index: number): Identity => ({
  _tag: "User",
  user: new User({
    id: UserId.make(`00000000-0000-4000-8000-${String(index).padStart(12, "0")}`),
    email: Email.make(`user${index}@example.com`),
    name: "",
    role: "viewer",
    disabled: false,
    sessionEpoch: 0,
    createdAt: at,
    lastLoginAt: null,
  }),
})

/** In memory every answer is there at once. */
const take = (identity: Identity) =>
  RateLimits.useSync((limits): Taken => {
    const taken = limits.take(identity)
    assert.notInstanceOf(taken, Promise)
    return taken as Taken
  })

const allowed = (identity: Identity, times: number) =>
  Effect.gen(function* () {
    for (let time = 0; time < times; time++)
      assert.isTrue(Result.isSuccess(yield* take(identity)), `request ${time}`)
  })

const refused = Effect.fnUntraced(function* (identity: Identity) {
  const taken = yield* take(identity)
  assert.isTrue(Result.isFailure(taken))
  const error = Result.isFailure(taken) ? taken.failure : undefined
  assert.instanceOf(error, RateLimited)
  return error
})

const layered =
  (rateLimit: RateLimit | null = null) =>
  <A, E>(effect: Effect.Effect<A, E, RateLimits>) =>
    effect.pipe(Effect.provide(RateLimits.layer), Effect.provide(ForgeConfig.layer({ rateLimit })))

describe("a key's rate", () => {
  it.effect("lets as many requests through, says where it stands, and when to come back", () =>
    Effect.gen(function* () {
      const key = keyed("a", { requests: 3, seconds: 60 })
      for (const remaining of [2, 1, 0]) {
        const taken = yield* take(key)
        const allowance = Result.isSuccess(taken) ? taken.success : undefined
        assert.strictEqual(allowance?.rate?.remaining, remaining)
        assert.isNull(allowance?.quota)
        yield* TestClock.adjust("10 seconds")
      }
      const error = yield* refused(key)
      // The first was thirty seconds ago, and a 64th of a minute is a second.
      assert.isAtLeast(error?.retryAfterSeconds ?? 0, 30)
      assert.isAtMost(error?.retryAfterSeconds ?? 0, 31)
      assert.strictEqual(
        error?.message,
        `The caller is over its limit of 3 requests in 60 seconds: try again in ${error?.retryAfterSeconds} seconds`,
      )
      yield* TestClock.adjust(1000 * (error?.retryAfterSeconds ?? 0))
      yield* allowed(key, 1)
      yield* refused(key)
    }).pipe(layered()),
  )

  it.effect("is its own, whoever else asks", () =>
    Effect.gen(function* () {
      const limit = { requests: 2, seconds: 60 }
      yield* allowed(keyed("a", limit), 2)
      yield* allowed(keyed("b", limit), 2)
      yield* refused(keyed("a", limit))
      yield* allowed(keyed("c", null), 1000)
    }).pipe(layered()),
  )

  it.effect("begins anew when it is changed", () =>
    Effect.gen(function* () {
      yield* allowed(keyed("a", { requests: 2, seconds: 60 }), 2)
      yield* allowed(keyed("a", { requests: 3, seconds: 60 }), 3)
      yield* refused(keyed("a", { requests: 3, seconds: 60 }))
    }).pipe(layered()),
  )
})

describe("a key's quota", () => {
  it.effect("is for a period of the calendar", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.parse("2026-11-30T23:59:50Z"))
      const key = keyed("a", null, { requests: 5, period: "month" })
      yield* allowed(key, 5)
      const error = yield* refused(key)
      assert.strictEqual(error?.retryAfterSeconds, 10)
      assert.strictEqual(
        error?.message,
        "The caller is over its quota of 5 requests a month: try again in 10 seconds",
      )
      yield* TestClock.adjust("10 seconds")
      yield* allowed(key, 5)
      yield* TestClock.adjust("30 days")
      yield* refused(key)
      yield* TestClock.adjust("1 day")
      yield* allowed(key, 5)
    }).pipe(layered()),
  )

  it.effect("and its rate hold both; what one refuses the other does not count", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.parse("2026-01-01T00:00:00Z"))
      const key = keyed("a", { requests: 2, seconds: 1 }, { requests: 5, period: "day" })
      for (const requests of [2, 2, 1]) {
        yield* allowed(key, requests)
        yield* refused(key)
        yield* TestClock.adjust("2 seconds")
      }
      assert.isAbove((yield* refused(key))?.retryAfterSeconds ?? 0, 86_000)
    }).pipe(layered()),
  )
})

describe("the server's own rate", () => {
  const server = { requests: 2, seconds: 60 }

  it.effect("is for users, for keys without one, and for all while no key is asked for", () =>
    Effect.gen(function* () {
      for (const identity of [user(1), user(2), keyed("a", null), { _tag: "Open" } as const]) {
        yield* allowed(identity, 2)
        yield* refused(identity)
      }
      yield* allowed(keyed("b", { requests: 10, seconds: 60 }), 10)
    }).pipe(layered(server)),
  )

  it.effect("is not for the owner, nor for what is public", () =>
    Effect.gen(function* () {
      yield* allowed({ _tag: "Owner" }, 100)
      yield* allowed({ _tag: "Anonymous" }, 100)
    }).pipe(layered(server)),
  )

  it.effect("is none by default", () =>
    Effect.gen(function* () {
      yield* allowed(user(1), 100)
      yield* allowed({ _tag: "Open" }, 100)
    }).pipe(Effect.provide(RateLimits.layer), Effect.provide(ForgeConfig.layer())),
  )
})

it.effect("callers that are idle are forgotten, those with requests in the window are not", () =>
  Effect.gen(function* () {
    const limit = { requests: 1, seconds: 60 }
    const id = (index: number) => keyed(`k${index}`, limit)
    yield* allowed(id(0), 1)
    yield* TestClock.adjust("30 seconds")
    yield* allowed(id(1), 1)
    yield* TestClock.adjust("40 seconds")
    for (let index = 2; index < 3000; index++) yield* allowed(id(index), 1)
    yield* refused(id(1))
    yield* refused(id(2))
    yield* allowed(id(0), 1)
  }).pipe(layered()),
)

it.effect("refused credentials are counted by address; without one there is nothing to count by", () =>
  Effect.gen(function* () {
    const limits = yield* RateLimits
    const waits = Array.from({ length: 1001 }, () => limits.credentialsRefused("192.0.2.1"))
    assert.strictEqual(waits.filter((wait) => wait === undefined).length, 1000)
    assert.isAbove(waits[1000] ?? 0, 0)
    for (let time = 0; time < 200; time++) assert.isUndefined(limits.credentialsRefused(undefined))
    assert.isUndefined(limits.credentialsRefused("192.0.2.2"))
  }).pipe(layered()),
)
