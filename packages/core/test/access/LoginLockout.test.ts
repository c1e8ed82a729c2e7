import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { LockoutStore, lockoutRules } from "../../src/access/LockoutStore.ts"
import { LockedOut, LoginLockout } from "../../src/access/LoginLockout.ts"
import { makeMemoryLockout } from "../../src/access/MemoryLockoutStore.ts"
import { SharedStoreUnavailable } from "../../src/access/SharedStoreUnavailable.ts"

const attempt = (email: string, address?: string) =>
  LoginLockout.use((lockout) => lockout.attempt({ email, address }))

const failing = (times: number, email: string, address?: string) =>
  Effect.gen(function* () {
    for (let time = 0; time < times; time++) yield* attempt(email, address)
  })

const lockedOut = (email: string, address?: string) =>
  Effect.map(Effect.flip(attempt(email, address)), (error) => {
    assert.instanceOf(error, LockedOut)
    return error
  })

const { freeOfPair } = lockoutRules

it.effect("says how long to wait, the same whether or not there is such an account", () =>
  Effect.gen(function* () {
    yield* failing(freeOfPair, "ada@example.com", "192.0.2.1")
    const error = yield* lockedOut("ada@example.com", "192.0.2.1")
    assert.strictEqual(error.retryAfterSeconds, 30)
    assert.strictEqual(error.message, "Too many attempts to sign in failed: try again in 30 seconds")
    yield* TestClock.adjust("29.5 seconds")
    assert.strictEqual((yield* lockedOut("ada@example.com", "192.0.2.1")).retryAfterSeconds, 1)
  }).pipe(Effect.provide(LoginLockout.layer)),
)

it.effect("an address is the same however it is written, and so is an email", () =>
  Effect.gen(function* () {
    yield* failing(freeOfPair - 1, "ada@example.com", "2001:db8::1")
    // Another address of the same network, and another way to write the account.
    yield* failing(1, " ADA@example.com", "2001:DB8:0:0:ffff::2")
    yield* lockedOut("ada@example.com", "2001:db8::3")
    yield* failing(1, "ada@example.com", "2001:db8:0:1::1")
  }).pipe(Effect.provide(LoginLockout.layer)),
)

it.effect("one address alone locks nobody out who comes from elsewhere", () =>
  Effect.gen(function* () {
    const victims = Array.from({ length: 3 }, (_, index) => `victim${index}@example.com`)
    // An attacker who never tires, for ten hours.
    for (let round = 0; round < 40; round++) {
      for (const victim of victims)
        for (let time = 0; time < 7; time++) yield* Effect.ignore(attempt(victim, "203.0.113.7"))
      yield* TestClock.adjust("15 minutes")
    }
    for (const victim of victims)
      yield* Effect.flatMap(attempt(victim, "192.0.2.1"), (made) => made.succeeded)
    // There, every account is: the last lock has just ended, and one more failure makes the next.
    yield* failing(1, "other@example.com", "203.0.113.7")
    yield* lockedOut("new@example.com", "203.0.113.7")
  }).pipe(Effect.provide(LoginLockout.layer)),
)

it.effect("a right password begins anew; what was never tried does not count", () =>
  Effect.gen(function* () {
    for (let round = 0; round < 3; round++) {
      yield* failing(freeOfPair - 1, "ada@example.com", "192.0.2.1")
      yield* Effect.flatMap(attempt("ada@example.com", "192.0.2.1"), (made) => made.succeeded)
    }
    for (let round = 0; round < 30; round++)
      yield* Effect.flatMap(attempt("ada@example.com", "192.0.2.1"), (made) => made.withdrawn)
    yield* failing(freeOfPair, "ada@example.com", "192.0.2.1")
    yield* lockedOut("ada@example.com", "192.0.2.1")
  }).pipe(Effect.provide(LoginLockout.layer)),
)

it.effect("servers on one store count together; while it is away, each by itself", () =>
  Effect.gen(function* () {
    const shared = yield* makeMemoryLockout()
    let isAway = false
    let asked = 0
    const away = Effect.fail(new SharedStoreUnavailable({ cause: new Error("gone") }))
    const store = LockoutStore.of({
      attempt: (subject) =>
        Effect.suspend(() => {
          asked++
          return isAway ? away : shared.attempt(subject)
        }),
      settle: (subject, outcome) => (isAway ? away : shared.settle(subject, outcome)),
    })
    const open = LoginLockout.layerShared.pipe(Layer.provide(Layer.succeed(LockoutStore, store)), Layer.fresh)
    const [one, other] = [yield* Layer.build(open), yield* Layer.build(open)]
    const on = (server: typeof one, times: number) =>
      failing(times, "ada@example.com", "192.0.2.1").pipe(Effect.provide(server))
    const lockedOn = (server: typeof one) =>
      lockedOut("ada@example.com", "192.0.2.1").pipe(Effect.provide(server))

    yield* on(one, 3)
    yield* on(other, freeOfPair - 3)
    yield* lockedOn(one)
    yield* lockedOn(other)

    isAway = true
    yield* on(one, freeOfPair)
    yield* lockedOn(one)
    // It is not asked for every attempt while it is away.
    asked = 0
    for (let time = 0; time < 100; time++) yield* lockedOn(one)
    assert.strictEqual(asked, 0)
    isAway = false
    yield* TestClock.adjust("31 seconds")
    yield* on(one, 1)
    assert.strictEqual(asked, 1)
  }),
)
