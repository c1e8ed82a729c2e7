/** The behaviour of every `IdempotencyStore`: a store is supported when this passes on it. */
import { assert, type Vitest, layer as withLayer } from "@effect/vitest"
import { Duration, Effect, type Layer } from "effect"
import { type ClaimRequest, IdempotencyStore, type KeptAnswer } from "../idempotency/IdempotencyStore.ts"
import { oddText, uuid } from "./RegistryStoreFixtures.ts"

const request = (fields: Partial<ClaimRequest> = {}): ClaimRequest => ({
  owner: `key:${uuid()}`,
  key: uuid(),
  fingerprint: uuid(),
  content: null,
  holder: uuid(),
  lease: Duration.minutes(1),
  keep: Duration.hours(24),
  repeatable: false,
  ...fields,
})

/** The same request, by another attempt. */
const again = (first: ClaimRequest, fields: Partial<ClaimRequest> = {}): ClaimRequest => ({
  ...first,
  holder: uuid(),
  ...fields,
})

const answer: KeptAnswer = {
  status: 201,
  headers: { "content-type": "application/json", etag: '"a"', location: "x" },
  body: JSON.stringify({ text: `${oddText}\u0000` }),
}

const claimed = { _tag: "Claimed" }
const over = Duration.zero

const tests = (it: Vitest.MethodsNonLive<IdempotencyStore>) => {
  it.effect("a request is claimed once; when it is settled its answer is given again", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const first = request()
      assert.deepEqual(yield* store.claim(first), claimed)
      assert.deepEqual(yield* store.claim(again(first)), { _tag: "Running" })
      yield* store.settle(first, { answer, content: null })
      for (const _ of [1, 2])
        assert.deepEqual(yield* store.claim(again(first)), { _tag: "Answered", answer, content: null })
    }),
  )

  it.effect("that it was carried out is remembered also without an answer", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const first = request()
      yield* store.claim(first)
      yield* store.settle(first, { answer: null, content: null })
      assert.deepEqual(yield* store.claim(again(first)), { _tag: "Answered", answer: null, content: null })
    }),
  )

  it.effect("a key is for one request, and for its owner", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const first = request()
      yield* store.claim(first)
      const reused = { _tag: "Reused" }
      assert.deepEqual(yield* store.claim(again(first, { fingerprint: uuid() })), reused)
      yield* store.settle(first, { answer, content: null })
      assert.deepEqual(yield* store.claim(again(first, { fingerprint: uuid() })), reused)
      assert.deepEqual(yield* store.claim(again(first, { owner: `key:${uuid()}` })), claimed)
      assert.deepEqual(yield* store.claim(again(first, { key: `${first.key}!` })), claimed)
    }),
  )

  it.effect("a streamed body belongs to the request as soon as it is known", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const first = request({ content: "aa" })
      yield* store.claim(first)
      assert.deepEqual(yield* store.claim(again(first, { content: "bb" })), { _tag: "Reused" })
      assert.deepEqual(yield* store.claim(again(first, { content: null })), { _tag: "Running" })
      const late = request()
      yield* store.claim(late)
      yield* store.settle(late, { answer, content: "cc" })
      assert.deepEqual(yield* store.claim(again(late, { content: "dd" })), { _tag: "Reused" })
      for (const content of ["cc", null])
        assert.deepEqual(yield* store.claim(again(late, { content })), {
          _tag: "Answered",
          answer,
          content: "cc",
        })
    }),
  )

  it.effect("what is released may be claimed anew, also for another request", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const first = request()
      yield* store.claim(first)
      yield* store.release(again(first))
      assert.deepEqual(yield* store.claim(again(first)), { _tag: "Running" })
      yield* store.release(first)
      assert.deepEqual(yield* store.claim(again(first, { fingerprint: uuid() })), claimed)
    }),
  )

  it.effect("whose holder died is carried out again only if it is repeatable; the dead change nothing", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const lost = request({ lease: over })
      yield* store.claim(lost)
      assert.deepEqual(yield* store.claim(again(lost)), { _tag: "Lost" })
      const first = request({ lease: over, repeatable: true })
      yield* store.claim(first)
      assert.deepEqual(yield* store.claim(again(first, { fingerprint: uuid() })), { _tag: "Reused" })
      const second = again(first, { lease: Duration.minutes(1) })
      assert.deepEqual(yield* store.claim(second), claimed)
      yield* store.settle(first, { answer, content: null })
      yield* store.release(first)
      yield* store.extend({ ...first, lease: over })
      assert.deepEqual(yield* store.claim(again(first)), { _tag: "Running" })
      yield* store.settle(second, { answer, content: null })
      // Settled is settled.
      yield* store.settle(second, { answer: null, content: null })
      yield* store.release(second)
      assert.deepEqual(yield* store.claim(again(first)), { _tag: "Answered", answer, content: null })
    }),
  )

  it.effect("a holder that is heard of keeps what it holds", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const first = request({ lease: over, repeatable: true })
      yield* store.claim(first)
      yield* store.extend({ ...first, lease: Duration.minutes(1) })
      assert.deepEqual(yield* store.claim(again(first)), { _tag: "Running" })
    }),
  )

  it.effect("what expired is forgotten, and deleted", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const first = request()
      yield* store.claim(first)
      yield* store.settle({ ...first, keep: over }, { answer, content: null })
      const kept = request()
      yield* store.claim(kept)
      yield* store.settle(kept, { answer, content: null })
      assert.isAbove(yield* store.prune, 0)
      assert.deepEqual(yield* store.claim(again(first, { fingerprint: uuid() })), claimed)
      assert.deepEqual((yield* store.claim(again(kept)))._tag, "Answered")
      // Not yet deleted.
      const other = request()
      yield* store.claim(other)
      yield* store.settle({ ...other, keep: over }, { answer, content: null })
      assert.deepEqual(yield* store.claim(again(other, { fingerprint: uuid() })), claimed)
    }),
  )

  it.effect("of many attempts at once one is claimed", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      for (const lease of [Duration.minutes(1), over]) {
        const first = request({ lease: over, repeatable: true })
        yield* store.claim(first)
        if (lease !== over) yield* store.release(first)
        const attempts = Array.from({ length: 12 }, () => again(first, { lease: Duration.minutes(1) }))
        const claims = yield* Effect.forEach(attempts, store.claim, { concurrency: "unbounded" })
        assert.deepStrictEqual(claims.map(({ _tag }) => _tag).sort(), [
          "Claimed",
          ...Array.from({ length: 11 }, () => "Running"),
        ])
      }
    }),
  )
}

/** Registers the tests; call it at the top of a test file. The suite may run again and again on one database. */
export const suite = <E>(name: string, storeLayer: Layer.Layer<IdempotencyStore, E>) =>
  withLayer(storeLayer, { timeout: "60 seconds", excludeTestServices: true })(
    `IdempotencyStore (${name})`,
    tests,
  )
