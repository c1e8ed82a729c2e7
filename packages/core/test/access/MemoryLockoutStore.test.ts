import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { lockMs, lockoutRules } from "../../src/access/LockoutStore.ts"
import { layerLockoutStoreMemory, makeMemoryLockout } from "../../src/access/MemoryLockoutStore.ts"
import { suite } from "../../src/testing/LockoutStoreSuite.ts"

suite("memory", layerLockoutStoreMemory)

const subject = (name: string) => ({ pair: name, account: `account ${name}`, address: undefined })

it("each failure beyond those that are free doubles the lock, up to a quarter of an hour", () => {
  const seconds = Array.from({ length: 9 }, (_, index) => lockMs(index + 3, 5) / 1000)
  assert.deepStrictEqual(seconds, [0, 0, 30, 60, 120, 240, 480, 900, 900])
  assert.strictEqual(lockMs(1_000_000, 5), 900_000)
})

it.effect("a lock ends in time, the next is longer, and an hour without a failure forgets all", () =>
  Effect.gen(function* () {
    const store = yield* makeMemoryLockout()
    const one = subject("a")
    for (let time = 0; time < lockoutRules.freeOfPair; time++) yield* store.attempt(one)
    for (const seconds of [30, 60, 120, 240, 480, 900, 900]) {
      assert.strictEqual(yield* store.attempt(one), seconds * 1000)
      yield* TestClock.adjust(seconds * 1000 - 1)
      assert.isAbove(yield* store.attempt(one), 0)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* store.attempt(one), 0)
    }
    yield* TestClock.adjust("1 hour")
    for (let time = 0; time < lockoutRules.freeOfPair; time++)
      assert.strictEqual(yield* store.attempt(one), 0)
  }),
)

it.effect("memory is bounded: what was counted longest ago is forgotten first", () =>
  Effect.gen(function* () {
    const store = yield* makeMemoryLockout(10)
    for (let time = 0; time < lockoutRules.freeOfPair; time++) yield* store.attempt(subject("a"))
    assert.isAbove(yield* store.attempt(subject("a")), 0)
    // Two counters each.
    for (let other = 0; other < 4; other++) yield* store.attempt(subject(`other ${other}`))
    assert.isAbove(yield* store.attempt(subject("a")), 0)
    yield* store.attempt(subject("one more"))
    assert.strictEqual(yield* store.attempt(subject("a")), 0)
  }),
)

it.effect("a pair is remembered for thirty days after it signed in", () =>
  Effect.gen(function* () {
    const store = yield* makeMemoryLockout()
    const home = { pair: "home", account: "ada", address: undefined }
    yield* store.attempt(home)
    yield* store.settle(home, "succeeded")
    const attack = Effect.gen(function* () {
      for (let time = 0; time < lockoutRules.freeOfOthers; time++)
        yield* store.attempt({ pair: `bot ${time}`, account: "ada", address: undefined })
      return yield* store.attempt(home)
    })
    yield* TestClock.adjust("29 days")
    assert.strictEqual(yield* attack, 0)
    yield* TestClock.adjust("1 day")
    assert.isAbove(yield* attack, 0)
  }),
)
