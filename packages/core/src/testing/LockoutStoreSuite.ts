/** What every `LockoutStore` must do. Subjects are fresh, so the suite can run on a store that is in use. */
import { randomUUID } from "node:crypto"
import { assert, type Vitest, layer as withLayer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { LockoutStore, type LockoutSubject, lockoutRules } from "../access/LockoutStore.ts"

const { freeOfPair, freeOfOthers, firstLockMs, longestLockMs } = lockoutRules

const fresh = (some: Partial<LockoutSubject> = {}): LockoutSubject => ({
  pair: randomUUID(),
  account: randomUUID(),
  address: randomUUID(),
  ...some,
})

const attempt = (subject: LockoutSubject) => LockoutStore.use((store) => store.attempt(subject))
const settle = (subject: LockoutSubject, outcome: "succeeded" | "withdrawn") =>
  LockoutStore.use((store) => store.settle(subject, outcome))

/** Makes attempts that are counted; fails the test when one is not. */
const fail = (times: number, subject: () => LockoutSubject) =>
  Effect.gen(function* () {
    for (let time = 0; time < times; time++)
      assert.strictEqual(yield* attempt(subject()), 0, `attempt ${time}`)
  })

const isLocked = (waitMs: number, atMost: number = firstLockMs) => {
  assert.isAbove(waitMs, 0)
  assert.isAtMost(waitMs, atMost)
}

const tests = (it: Vitest.MethodsNonLive<LockoutStore>) => {
  it.effect("a pair is locked after its failures, and what is refused counts for nothing", () =>
    Effect.gen(function* () {
      const subject = fresh()
      yield* fail(freeOfPair, () => subject)
      const waits = yield* Effect.all([attempt(subject), attempt(subject)])
      for (const wait of waits) isLocked(wait)
      // The same account from another address is not.
      yield* fail(1, () => fresh({ account: subject.account }))
    }),
  )

  it.effect("of many attempts at once no more than are free slip through", () =>
    Effect.gen(function* () {
      const subject = fresh()
      const waits = yield* Effect.all(
        Array.from({ length: 40 }, () => attempt(subject)),
        { concurrency: "unbounded" },
      )
      assert.strictEqual(waits.filter((wait) => wait === 0).length, freeOfPair)
    }),
  )

  it.effect("an account is locked that many addresses try, but not where it signed in before", () =>
    Effect.gen(function* () {
      const { account } = fresh()
      const home = fresh({ account })
      yield* attempt(home)
      yield* settle(home, "succeeded")
      yield* fail(freeOfOthers, () => fresh({ account }))
      isLocked(yield* attempt(fresh({ account })))
      assert.strictEqual(yield* attempt(home), 0)
    }),
  )

  it.effect(
    "an address is locked that tries many accounts, but not for those that signed in from there",
    () =>
      Effect.gen(function* () {
        const { address } = fresh()
        const colleague = fresh({ address })
        yield* attempt(colleague)
        yield* settle(colleague, "succeeded")
        yield* fail(freeOfOthers, () => fresh({ address }))
        isLocked(yield* attempt(fresh({ address })))
        assert.strictEqual(yield* attempt(colleague), 0)
        // Where the address says nothing, it is no reason.
        yield* fail(freeOfOthers + 1, () => fresh({ address: undefined }))
      }),
  )

  it.effect("a success forgets the failures of the pair, and only the attempt of the others", () =>
    Effect.gen(function* () {
      const { address } = fresh()
      yield* fail(freeOfOthers - 1, () => fresh({ address }))
      const subject = fresh({ address })
      // Each of them signs in in between: the address has no failure more, and none less.
      yield* attempt(subject)
      yield* settle(subject, "succeeded")
      yield* fail(1, () => fresh({ address }))
      isLocked(yield* attempt(fresh({ address })))
      const pair = fresh()
      yield* fail(freeOfPair - 1, () => pair)
      yield* fail(1, () => pair)
      yield* settle(pair, "succeeded")
      yield* fail(freeOfPair, () => pair)
      isLocked(yield* attempt(pair))
    }),
  )

  it.effect("an attempt that is withdrawn counts for nothing", () =>
    Effect.gen(function* () {
      const subject = fresh()
      for (let time = 0; time < 3 * freeOfOthers; time++) {
        assert.strictEqual(yield* attempt(subject), 0)
        yield* settle(subject, "withdrawn")
      }
      yield* fail(freeOfPair, () => subject)
      isLocked(yield* attempt(subject), longestLockMs)
    }),
  )
}

/** Registers the tests; call it at the top of a test file. */
export const suite = <E>(name: string, storeLayer: Layer.Layer<LockoutStore, E>) =>
  withLayer(storeLayer, { timeout: "60 seconds", excludeTestServices: true })(
    `LockoutStore (${name})`,
    (it) => tests(it),
  )
