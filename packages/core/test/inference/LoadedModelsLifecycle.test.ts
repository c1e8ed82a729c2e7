/** Which versions are in memory, and why: states, unloading by hand, loading ahead, the memory budget. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { Actor } from "../../src/events/Actor.ts"
import { BatcherClosed } from "../../src/inference/Batcher.ts"
import { digestOf, FakeRuntime, loadFailed, runnerUnavailable } from "../fakes.ts"
import {
  a,
  b,
  broken,
  loaded,
  missing,
  open,
  rejection,
  routeTo,
  settle,
  submit,
  sums,
  x,
} from "./loadedModelsFixture.ts"

it.effect("a version is unloaded, loading, warming, serving", () =>
  Effect.gen(function* () {
    const { runtime, models } = yield* open()
    const states: Array<string> = []
    const look = () => states.push(models.serving(a).state)
    const gate = yield* Deferred.make<void>()
    runtime.load = () => Deferred.await(gate)
    runtime.run = (members) => {
      look()
      return sums(members)
    }
    look()
    const waiting = models.get(routeTo(a))
    look()
    yield* Deferred.succeed(gate, undefined)
    yield* Effect.promise(async () => await waiting)
    look()
    assert.deepStrictEqual([...new Set(states)], ["unloaded", "loading", "warming", "serving"])
    assert.deepStrictEqual(models.serving(a), { state: "serving", reason: null })
  }),
)

it.effect(
  "a version whose model takes no runs any more has failed, and starts afresh when it is loaded",
  () =>
    Effect.gen(function* () {
      const { runtime, models } = yield* open()
      yield* loaded(models, a)
      runtime.failed.set(a, loadFailed("it crashed the runtime 3 times"))
      assert.deepStrictEqual(models.serving(a), {
        state: "failed",
        reason: "The model could not be loaded: it crashed the runtime 3 times",
      })
      runtime.load = () => Effect.sync(() => void runtime.failed.clear())
      yield* models.load(routeTo(a))
      assert.deepStrictEqual(runtime.loads, [a, a])
      assert.strictEqual(models.serving(a).state, "serving")
      yield* settle
      assert.deepStrictEqual(runtime.released, [a])
    }),
)

it.effect("a failed load is tried again at once by hand, or when its model was changed", () =>
  Effect.gen(function* () {
    const { runtime, models, announce } = yield* open()
    runtime.load = () => Effect.fail(loadFailed("no"))
    yield* rejection(models.get(routeTo(a)))
    assert.strictEqual((yield* Effect.flip(models.load(routeTo(a)))).reason._tag, "LoadFailed")
    assert.lengthOf(runtime.loads, 2)
    const changed = routeTo(a, { runLimitMs: 5 })
    announce([changed])
    assert.strictEqual(models.serving(changed.id).state, "unloaded")
    runtime.load = () => Effect.void
    yield* Effect.promise(async () => await models.get(changed))
    assert.lengthOf(runtime.loads, 3)
  }),
)

it.effect("trouble that is not the model's fault is no failure: the next request tries again", () =>
  Effect.gen(function* () {
    const { runtime, models } = yield* open()
    runtime.load = () => Effect.fail(runnerUnavailable("too many processes"))
    yield* rejection(models.get(routeTo(a)))
    assert.strictEqual(models.serving(a).state, "unloaded")
    runtime.load = () => Effect.void
    yield* loaded(models, a)
  }),
)

it.effect("unloaded by hand it takes no requests until it is loaded again", () =>
  Effect.gen(function* () {
    const { runtime, models, route } = yield* open()
    yield* loaded(models, a)
    yield* models.unload(routeTo(a))
    assert.deepStrictEqual(runtime.released, [a])
    assert.deepStrictEqual(models.serving(a), {
      state: "unloaded",
      reason: "unloaded by hand, until it is loaded again",
    })
    const refused = yield* rejection(models.get(routeTo(a)))
    assert.strictEqual(refused.message, 'Version 1 of model "digits" was unloaded: load it again to use it')
    route(a) // a change of something else
    assert.strictEqual((yield* rejection(models.get(routeTo(a)))).reason._tag, "VersionUnloaded")
    yield* models.load(routeTo(a))
    yield* loaded(models, a)
    assert.deepStrictEqual(runtime.loads, [a, a])
    // A version of the same name that comes after it is another one.
    yield* models.unload(routeTo(a))
    route()
    route(a)
    yield* loaded(models, a)
  }),
)

it.effect("who loads and unloads by hand is in the audit log; loads for requests are not", () =>
  Effect.gen(function* () {
    const { models, audit } = yield* open()
    yield* loaded(models, a)
    yield* models.unload(routeTo(a))
    yield* Effect.flip(models.load(routeTo(missing)))
    yield* models.load(routeTo(a))
    assert.deepStrictEqual(
      (yield* audit.list({}, { limit: 10 })).map(({ actor, action, target }) => [actor, action, target.id]),
      [
        ["ada", "version.loaded", "digits/1"],
        ["ada", "version.unloaded", "digits/1"],
      ],
    )
  }).pipe(Effect.provideService(Actor, "ada")),
)

it.effect("unloading answers those who wait, also while it loads", () =>
  Effect.gen(function* () {
    const { runtime, models } = yield* open()
    const gate = yield* Deferred.make<void>()
    runtime.load = () => Deferred.await(gate)
    const waiting = models.get(routeTo(a))
    const unloading = yield* Effect.forkChild(models.unload(routeTo(a)))
    yield* settle
    assert.isUndefined(unloading.pollUnsafe())
    yield* Deferred.succeed(gate, undefined)
    yield* Effect.promise(async () => await waiting)
    yield* Fiber.join(unloading)
    assert.deepStrictEqual(runtime.released, [a])
    // Nothing to do is fine too.
    yield* models.unload(routeTo(b))
  }),
)

it.effect("whoever comes too late for a model that leaves is told so, and nothing was done", () =>
  Effect.gen(function* () {
    const { models } = yield* open()
    const batcher = yield* loaded(models, a)
    yield* models.unload(routeTo(a))
    const error = yield* Effect.promise(() => submit(batcher, x(1, 2)).catch((cause: unknown) => cause))
    assert.instanceOf(error, BatcherClosed)
  }),
)

it.effect("what an alias points at is loaded at the start, and when the alias comes to point at it", () =>
  Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    const runtime = new FakeRuntime()
    runtime.load = (digest) => (digest === a ? Deferred.await(gate) : Effect.void)
    const { models, announce } = yield* open({ aliased: [a, missing], runtime })
    const ready = yield* Effect.forkChild(models.preloaded)
    yield* settle
    // The one that is missing has failed; the other one is waited for.
    assert.isUndefined(ready.pollUnsafe())
    assert.strictEqual(models.serving(a).state, "loading")
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(ready)
    assert.strictEqual(models.serving(a).state, "serving")
    announce([routeTo(a), routeTo(b)], [a])
    yield* settle
    assert.deepStrictEqual(runtime.loads, [a])
    announce([routeTo(a), routeTo(b)], [b])
    yield* settle
    assert.deepStrictEqual(runtime.loads, [a, b])
    assert.deepStrictEqual(runtime.released, [])
  }),
)

it.effect("nothing has to leave for what is only loaded ahead", () =>
  Effect.gen(function* () {
    const { runtime, models, announce } = yield* open({ settings: { modelMemoryBytes: 250 }, aliased: [a] })
    yield* models.preloaded
    announce([routeTo(a), routeTo(b), routeTo(broken)], [a, b, broken])
    yield* settle
    assert.deepStrictEqual(runtime.loads, [a, b])
    assert.strictEqual(models.serving(broken).state, "unloaded")
  }),
)

it.effect("the model that was used longest ago leaves for another, once its requests are answered", () =>
  Effect.gen(function* () {
    const { runtime, models } = yield* open({ settings: { modelMemoryBytes: 250 } })
    const c = digestOf("c")
    runtime.memoryBytes = () => Promise.resolve(120)
    const first = yield* loaded(models, a)
    yield* loaded(models, b)
    const held = Promise.withResolvers<void>()
    runtime.run = async (members) => {
      await held.promise
      return sums(members)
    }
    const answer = submit(first, x(1, 2))
    yield* loaded(models, b)
    const waiting = models.get(routeTo(c))
    yield* settle
    assert.deepStrictEqual(runtime.loads, [a, b])
    assert.strictEqual(models.serving(a).state, "unloaded")
    runtime.run = sums
    held.resolve()
    yield* Effect.promise(() => answer)
    yield* Effect.promise(async () => await waiting)
    assert.deepStrictEqual(runtime.released, [a])
    assert.deepStrictEqual(runtime.loads, [a, b, c])
    // The one that left is loaded again by its next request, for which another leaves.
    yield* loaded(models, a)
    assert.deepStrictEqual(runtime.released, [a, b])
  }),
)

it.effect("a model that needs more than all may take is refused, before or after it was loaded", () =>
  Effect.gen(function* () {
    const { runtime, models, announce } = yield* open({ settings: { modelMemoryBytes: 2 ** 20 } })
    runtime.estimateBytes = () => 2 ** 21
    assert.strictEqual(
      (yield* rejection(models.get(routeTo(a)))).message,
      "The model could not be loaded: it takes 2 MiB of memory, more than the 1 MiB that all models may take: raise the limit, or run fewer instances",
    )
    assert.deepStrictEqual(runtime.loads, [])
    runtime.estimateBytes = () => 1
    runtime.memoryBytes = () => Promise.resolve(3 * 2 ** 20)
    assert.include((yield* rejection(models.get(routeTo(b)))).message, "it takes 3 MiB")
    assert.deepStrictEqual(runtime.released, [b])
    // With another placement it may fit: what was measured does not count any more.
    runtime.memoryBytes = () => Promise.resolve(1)
    const smaller = routeTo(b, { instances: 1 })
    announce([smaller])
    yield* Effect.promise(async () => await models.get(smaller))
  }),
)
