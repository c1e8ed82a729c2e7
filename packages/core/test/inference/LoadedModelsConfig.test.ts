/** How loaded models follow what operators say. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { loadFailed } from "../fakes.ts"
import { a, loaded, open, routeTo, settle, submit, sums, x } from "./loadedModelsFixture.ts"

it.effect("the config of the model says how it is loaded, warmed up, and joined", () =>
  Effect.gen(function* () {
    const { runtime, models } = yield* open()
    const rows: Array<number> = []
    runtime.run = (members) => {
      rows.push(members.length)
      return sums(members)
    }
    const route = routeTo(a, {
      instances: 2,
      intraOpThreads: 3,
      runLimitMs: 4,
      execution: "inline",
      warmup: { runs: 5 },
      batching: { maxBatchSize: 1 },
    })
    yield* Effect.promise(async () => await models.get(route))
    assert.deepStrictEqual(runtime.placements, [
      { instances: 2, intraOpThreads: 3, runLimitMs: 4, execution: "inline" },
    ])
    assert.deepStrictEqual(rows, [1, 1, 1, 1, 1])
  }),
)

it.effect("batching is changed in place, other changes take another load, without a gap", () =>
  Effect.gen(function* () {
    const { runtime, models, announce } = yield* open()
    runtime.run = sums
    const first = yield* loaded(models, a)
    const sizes: Array<number> = []
    runtime.run = (members) => {
      sizes.push(members.length)
      return sums(members)
    }
    const both = () => Effect.promise(() => Promise.all([submit(first, x(1, 2)), submit(first, x(3, 4))]))
    yield* both()
    announce([routeTo(a, { batching: { maxBatchSize: 1 } })])
    yield* both()
    assert.deepStrictEqual(sizes, [2, 1, 1])
    assert.deepStrictEqual(runtime.loads, [a])

    const gate = yield* Deferred.make<void>()
    runtime.load = () => Deferred.await(gate)
    const changed = routeTo(a, { instances: 2 })
    announce([changed])
    yield* settle
    // The old one serves until the new one does.
    assert.strictEqual(models.get(changed), first)
    assert.strictEqual(models.serving(changed.id).state, "serving")
    yield* Deferred.succeed(gate, undefined)
    yield* settle
    const second = yield* Effect.promise(async () => await models.get(changed))
    assert.notStrictEqual(second, first)
    assert.deepStrictEqual(runtime.loads, [a, a])
    assert.deepStrictEqual(runtime.released, [a])
    announce([changed])
    yield* settle
    assert.deepStrictEqual(runtime.loads, [a, a])
  }),
)

it.effect("a config that does not work leaves the old one in force, and says so", () =>
  Effect.gen(function* () {
    const { runtime, models, announce } = yield* open()
    const first = yield* loaded(models, a)
    runtime.load = () => Effect.fail(loadFailed("no such device"))
    const changed = routeTo(a, { intraOpThreads: 2 })
    announce([changed])
    yield* settle
    assert.strictEqual(models.get(changed), first)
    assert.deepStrictEqual(models.serving(changed.id), {
      state: "serving",
      reason: "its new config is not in force: The model could not be loaded: no such device",
    })
    announce([routeTo(a)])
    yield* settle
    assert.deepStrictEqual(models.serving(a), { state: "serving", reason: null })
    assert.lengthOf(runtime.loads, 2)
  }),
)

it.effect("of changes that follow each other the last one counts, also while the first load goes on", () =>
  Effect.gen(function* () {
    const { runtime, models, announce } = yield* open()
    const gate = yield* Deferred.make<void>()
    runtime.load = () => Deferred.await(gate)
    const waiting = models.get(routeTo(a))
    yield* settle
    announce([routeTo(a, { instances: 2 })])
    announce([routeTo(a, { instances: 3 })])
    yield* settle
    yield* Deferred.succeed(gate, undefined)
    yield* Effect.promise(async () => await waiting)
    yield* settle
    assert.deepStrictEqual(
      runtime.placements.map(({ instances }) => instances),
      [undefined, 2, 3],
    )
    // The two before it are gone, and it serves.
    assert.lengthOf(runtime.released, 2)
    assert.strictEqual(models.serving(a).state, "serving")
    announce([])
    yield* settle
    assert.lengthOf(runtime.released, 3)
  }),
)

it.effect("where there is no room for both, the new load begins when the old one has left", () =>
  Effect.gen(function* () {
    const { runtime, models, announce } = yield* open({ settings: { modelMemoryBytes: 150 } })
    runtime.memoryBytes = () => Promise.resolve(100)
    yield* loaded(models, a)
    const changed = routeTo(a, { instances: 2 })
    announce([changed])
    yield* settle
    const next = yield* Effect.promise(async () => await models.get(changed))
    yield* settle
    assert.strictEqual(models.get(changed), next)
    assert.deepStrictEqual(runtime.released, [a])
    assert.deepStrictEqual(runtime.loads, [a, a])
  }),
)

it.effect("a batch size that was not tried because nobody wanted it takes another load", () =>
  Effect.gen(function* () {
    const { runtime, models, announce } = yield* open()
    runtime.run = async (members) => ({ ...(await sums(members)), computeMs: 60 })
    yield* loaded(models, a)
    const wanted = routeTo(a, { batching: { maxBatchSize: 4, maxDelayMs: 0 } })
    announce([wanted])
    yield* settle
    assert.deepStrictEqual(runtime.loads, [a, a])
    const sizes: Array<number> = []
    const batcher = yield* Effect.promise(async () => await models.get(wanted))
    runtime.run = (members) => {
      sizes.push(members.length)
      return sums(members)
    }
    yield* Effect.promise(() => Promise.all([1, 2, 3, 4, 5].map((row) => submit(batcher, x(row, row)))))
    assert.deepStrictEqual(sizes, [4, 1])
  }),
)
