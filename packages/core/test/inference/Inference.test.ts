import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Result } from "effect"
import { ArtifactStore } from "../../src/artifacts/ArtifactStore.ts"
import { Inference } from "../../src/inference/Inference.ts"
import { InferenceError } from "../../src/inference/InferenceError.ts"
import { RunFailed, RunnerLost, type RunResult, RuntimeError } from "../../src/inference/ModelRuntime.ts"
import { ModelName } from "../../src/model/Names.ts"
import type { Tensor, Tensors } from "../../src/model/Tensor.ts"
import { layerRegistryStoreMemory } from "../../src/registry/MemoryRegistryStore.ts"
import { RegistryStore } from "../../src/registry/RegistryStore.ts"
import { RoutingTable } from "../../src/registry/RoutingTable.ts"
import { digestOf, FakeRuntime, loadFailed, signature, summary } from "../fakes.ts"

const model = ModelName.make("digits")
const digest = digestOf("digits")
const x: Tensor = { datatype: "FP32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }
const y: Tensor = { datatype: "FP32", shape: [2], data: Float32Array.of(3, 7) }

const layerModel = Layer.effectDiscard(
  Effect.gen(function* () {
    const store = yield* RegistryStore
    const draft = { model, size: 1, signature, summary, description: "", createdBy: null, alias: null }
    yield* store.insertVersion({ ...draft, digest, state: "ready", createModel: true })
    yield* store.insertVersion({
      ...draft,
      digest: digestOf("other"),
      state: "validating",
      createModel: false,
    })
  }),
)

const layerArtifacts = Layer.mock(ArtifactStore, {
  file: (of) => Effect.succeed(`/artifacts/${of}`),
})

/** An inference over one model, `digits`: version 1 is ready and version 2 is validating. */
const open = Effect.gen(function* () {
  const runtime = new FakeRuntime()
  const context = yield* Layer.build(
    Layer.fresh(
      Inference.layer.pipe(
        Layer.provide(RoutingTable.layer),
        Layer.provide(layerModel),
        Layer.provide(Layer.mergeAll(layerRegistryStoreMemory, layerArtifacts, runtime.layer)),
      ),
    ),
  )
  const inference = yield* Effect.provideContext(Inference, context)
  return { runtime, inference, route: Result.getOrThrow(inference.route("digits")) }
})

const settled = (promise: Promise<unknown>): Effect.Effect<unknown> =>
  Effect.promise(() =>
    promise.then(
      () => "it was resolved",
      (error: unknown) => error,
    ),
  )

const failure = (promise: Promise<unknown>) =>
  Effect.map(settled(promise), (error) => {
    assert.instanceOf(error, InferenceError)
    return error.reason
  })

it.effect("gives the outputs, which version answered, and where the time went", () =>
  Effect.gen(function* () {
    const { runtime, inference, route } = yield* open
    const asked: Array<unknown> = []
    runtime.run = (inputs, outputs) => {
      asked.push([inputs, outputs])
      return Promise.resolve({ outputs: { y }, queueMs: 1, computeMs: 2 })
    }
    const first = yield* Effect.promise(() => inference.run(route, { x }, ["y"]))
    assert.deepStrictEqual(first.outputs, { y })
    assert.deepStrictEqual(
      { version: first.version, cache: first.cache, computeMs: first.computeMs },
      { version: route.version, cache: "bypass", computeMs: 2 },
    )
    assert.isAtLeast(first.queueMs, 1)
    // Loaded by now, so there is nothing to wait for but the runner.
    const second = yield* Effect.promise(() => inference.run(route, { x }, []))
    assert.strictEqual(second.queueMs, 1)
    assert.deepStrictEqual(asked, [
      [{ x }, ["y"]],
      [{ x }, ["y", "z"]],
    ])
  }),
)

it.effect("inputs that do not fit never reach the model, which is not even loaded for them", () =>
  Effect.gen(function* () {
    const { runtime, inference, route } = yield* open
    const wrong: Tensors = { x: { ...x, shape: [4] } }
    const reason = yield* failure(inference.run(route, wrong, ["w"]))
    assert.strictEqual(
      reason.message,
      'The request does not fit the signature of model "digits": ' +
        "inputs.x: expected FP32 [batch, 2], got FP32 [4]: the number of dimensions is 1, not 2; " +
        'outputs[0]: unknown output "w": this model gives "y", "z"',
    )
    assert.deepStrictEqual(runtime.loads, [])
  }),
)

it.effect("failures of the load and of the run are told apart", () =>
  Effect.gen(function* () {
    const { runtime, inference, route } = yield* open
    runtime.load = () => Effect.fail(loadFailed("no"))
    assert.strictEqual((yield* failure(inference.run(route, { x }, [])))._tag, "LoadFailed")
    runtime.load = () => Effect.void
    for (const reason of [new RunFailed({ detail: "no" }), new RunnerLost({ detail: "no" })]) {
      runtime.run = () => Promise.reject(new RuntimeError({ reason }))
      assert.strictEqual(yield* failure(inference.run(route, { x }, [])), reason)
    }
    const bug = new Error("a bug")
    runtime.run = () => Promise.reject(bug)
    assert.strictEqual(yield* settled(inference.run(route, { x }, [])), bug)
  }),
)

it.effect("a caller who leaves while the model loads hears why at once; the load goes on", () =>
  Effect.gen(function* () {
    const { runtime, inference, route } = yield* open
    const gate = yield* Deferred.make<void>()
    runtime.load = () => Deferred.await(gate)
    const [leaving, staying] = [new AbortController(), new AbortController()]
    const left = inference.run(route, { x }, [], leaving.signal)
    const stayed = inference.run(route, { x }, [], staying.signal)
    leaving.abort("gone")
    assert.strictEqual(yield* settled(left), "gone")
    yield* Deferred.succeed(gate, undefined)
    assert.strictEqual((yield* Effect.promise(() => stayed)).version, route.version)
    assert.deepStrictEqual(runtime.loads, [digest])
  }),
)

it.effect("a caller who left before is not worth a load", () =>
  Effect.gen(function* () {
    const { runtime, inference, route } = yield* open
    assert.strictEqual(yield* settled(inference.run(route, { x }, [], AbortSignal.abort("gone"))), "gone")
    assert.deepStrictEqual(runtime.loads, [])
  }),
)

it.effect("a caller who leaves during the run hears the signal's reason", () =>
  Effect.gen(function* () {
    const { runtime, inference, route } = yield* open
    const begun = yield* Deferred.make<void>()
    runtime.run = (_inputs, _outputs, signal) =>
      new Promise<RunResult>((_, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason))
        Deferred.doneUnsafe(begun, Effect.void)
      })
    const controller = new AbortController()
    const running = inference.run(route, { x }, [], controller.signal)
    yield* Deferred.await(begun)
    controller.abort("gone")
    assert.strictEqual(yield* settled(running), "gone")
  }),
)

it.effect("leaves nothing on a signal that outlives its requests", () =>
  Effect.gen(function* () {
    const { inference, route } = yield* open
    const { signal } = new AbortController()
    let listening = 0
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listening++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listening--
      remove(...args)
    }
    yield* Effect.promise(() => inference.run(route, { x }, [], signal))
    assert.strictEqual(listening, 0)
  }),
)

it.effect("predict finds the version by its number, or by none", () =>
  Effect.gen(function* () {
    const { inference } = yield* open
    for (const version of [undefined, "1"])
      assert.strictEqual((yield* inference.predict({ model: "digits", version, inputs: { x } })).version, 1)
  }),
)

it.effect("predict says why no version answers", () =>
  Effect.gen(function* () {
    const { inference } = yield* open
    const why = (request: { readonly model: string; readonly version?: string }) =>
      Effect.map(Effect.flip(inference.predict({ ...request, inputs: { x } })), (error) => error.message)
    assert.strictEqual(yield* why({ model: "letters" }), 'There is no model "letters"')
    assert.strictEqual(
      yield* why({ model: "digits", version: "canary" }),
      'Model "digits" has no version "canary"',
    )
    assert.strictEqual(
      yield* why({ model: "digits", version: "2" }),
      'Version 2 of model "digits" is not ready, it is validating',
    )
    assert.match(
      (yield* Effect.flip(inference.predict({ model: "digits", inputs: {} }))).message,
      /inputs\.x: missing: expected FP32 \[batch, 2\]$/,
    )
  }),
)

it.effect("predict dies of what is a bug, and does not pass it off as a failure of the model", () =>
  Effect.gen(function* () {
    const { runtime, inference } = yield* open
    const bug = new Error("a bug")
    runtime.run = () => Promise.reject(bug)
    const died = inference
      .predict({ model: "digits", inputs: { x } })
      .pipe(Effect.as<unknown>("it was answered"), Effect.catchDefect(Effect.succeed))
    assert.strictEqual(yield* died, bug)
  }),
)

it.effect("an interrupted predict aborts the run", () =>
  Effect.gen(function* () {
    const { runtime, inference } = yield* open
    const begun = yield* Deferred.make<AbortSignal | undefined>()
    runtime.run = (_inputs, _outputs, signal) => {
      Deferred.doneUnsafe(begun, Effect.succeed(signal))
      return new Promise(() => {})
    }
    const fiber = yield* Effect.forkChild(inference.predict({ model: "digits", inputs: { x } }))
    const signal = yield* Deferred.await(begun)
    assert.isFalse(signal?.aborted)
    yield* Fiber.interrupt(fiber)
    assert.isTrue(signal?.aborted)
  }),
)
