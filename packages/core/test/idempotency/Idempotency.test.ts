import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { type Attempt, Idempotency, type Memory } from "../../src/idempotency/Idempotency.ts"
import { IdempotencyStore } from "../../src/idempotency/IdempotencyStore.ts"
import { layerIdempotencyStoreMemory } from "../../src/idempotency/MemoryIdempotencyStore.ts"
import { RegistryError, StoreUnavailable } from "../../src/registry/RegistryError.ts"

const layer = Layer.fresh(Idempotency.layer.pipe(Layer.provideMerge(layerIdempotencyStoreMemory)))

const attempt: Attempt = {
  owner: "key:a",
  key: "k",
  fingerprint: "f",
  content: null,
  repeatable: false,
}

const answer = { status: 201, headers: {}, body: "{}" }
const kept: Memory = { answer, content: null }
const remember = (exit: Exit.Exit<unknown, unknown>) => (Exit.isSuccess(exit) ? kept : undefined)

const once = <A, E>(
  work: Effect.Effect<A, E>,
  fields: Partial<Attempt> = {},
  how: (exit: Exit.Exit<A, E>) => Memory | undefined = remember,
) => Idempotency.use((idempotency) => idempotency.once({ ...attempt, ...fields }, work, how))

const reasonOf = (error: unknown) =>
  typeof error === "object" && error !== null && "reason" in error
    ? (error.reason as { readonly _tag: string })._tag
    : error

describe("a request with a key", () => {
  it.effect("is carried out once, and answered again for a day", () =>
    Effect.gen(function* () {
      let runs = 0
      const work = Effect.sync(() => ++runs)
      assert.deepEqual(yield* once(work), { _tag: "Done", value: 1 })
      yield* TestClock.adjust("23 hours")
      assert.deepEqual(yield* once(work), { _tag: "Repeated", answer, content: null })
      assert.strictEqual(reasonOf(yield* Effect.flip(once(work, { fingerprint: "g" }))), "KeyReused")
      yield* TestClock.adjust("2 hours")
      assert.deepEqual(yield* once(work), { _tag: "Done", value: 2 })
    }).pipe(Effect.provide(layer)),
  )

  it.effect("may be tried again when it changed nothing, and fails as the work does", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.flip(once(Effect.fail("no"))), "no")
      const died = yield* Effect.exit(once(Effect.die("bug")))
      assert.isTrue(Exit.isFailure(died) && Cause.hasDies(died.cause))
      assert.deepEqual(yield* once(Effect.succeed(1), { fingerprint: "other" }), { _tag: "Done", value: 1 })
    }).pipe(Effect.provide(layer)),
  )

  it.effect("is refused while it is being carried out, however long that takes", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<string>()
      const first = yield* Effect.forkChild(once(Deferred.await(gate)))
      yield* TestClock.adjust("10 minutes")
      for (const repeatable of [false, true])
        assert.strictEqual(reasonOf(yield* Effect.flip(once(Effect.void, { repeatable }))), "RequestRunning")
      yield* Deferred.succeed(gate, "done")
      assert.deepEqual(yield* Fiber.join(first), { _tag: "Done", value: "done" })
    }).pipe(Effect.provide(layer)),
  )

  it.effect("goes on when its caller leaves, so that its answer can be asked for", () =>
    Effect.gen(function* () {
      const [gate, begun] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const work = Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(gate))
      const first = yield* Effect.forkChild(once(work))
      yield* Deferred.await(begun)
      const leaving = yield* Effect.forkChild(Fiber.interrupt(first))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(leaving)
      assert.strictEqual((yield* once(Effect.die("again")))._tag, "Repeated")
    }).pipe(Effect.provide(layer)),
  )

  it.effect("ends with its caller where the work can be interrupted, and may be tried again", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const work = Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
      const first = yield* Effect.forkChild(once(work, { interruptible: true }))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(first)
      assert.strictEqual((yield* once(Effect.void))._tag, "Done")
    }).pipe(Effect.provide(layer)),
  )

  it.effect("whose server was lost is carried out again only if that does no harm", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      for (const repeatable of [true, false]) {
        const key = String(repeatable)
        yield* store.claim({
          ...attempt,
          key,
          holder: crypto.randomUUID(),
          repeatable,
          lease: Duration.minutes(1),
          keep: Duration.hours(24),
        })
        yield* TestClock.adjust("61 seconds")
        const next = once(Effect.succeed("again"), { key, repeatable })
        if (repeatable) assert.deepEqual(yield* next, { _tag: "Done", value: "again" })
        else assert.strictEqual(reasonOf(yield* Effect.flip(next)), "OutcomeUnknown")
      }
    }).pipe(Effect.provide(layer)),
  )

  it.effect("whose answer was not to be kept is not carried out again either", () =>
    Effect.gen(function* () {
      yield* once(Effect.succeed("secret"), {}, () => ({ answer: null, content: null }))
      assert.strictEqual(reasonOf(yield* Effect.flip(once(Effect.die("again")))), "AnswerNotKept")
    }).pipe(Effect.provide(layer)),
  )

  it.effect("is not begun while the store is away; what was done is answered when it goes then", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const gone = Effect.fail(
        new RegistryError({ reason: new StoreUnavailable({ operation: "x", cause: new Error("gone") }) }),
      )
      const broken = (part: Partial<IdempotencyStore["Service"]>) =>
        Effect.provide(once(Effect.succeed(1)), [
          Idempotency.layer.pipe(Layer.provide(Layer.succeed(IdempotencyStore, { ...store, ...part }))),
        ])
      assert.strictEqual(reasonOf(yield* Effect.flip(broken({ claim: () => gone }))), "StoreUnavailable")
      assert.deepEqual(yield* broken({ settle: () => gone }), { _tag: "Done", value: 1 })
    }).pipe(Effect.provide(layer)),
  )
})
