import { getEventListeners } from "node:events"
import { assert, describe, it, vi } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Result } from "effect"
import { TestClock } from "effect/testing"
import { ArtifactStore } from "../../src/artifacts/ArtifactStore.ts"
import { AuditLog } from "../../src/audit/AuditLog.ts"
import { ForgeConfig } from "../../src/ForgeConfig.ts"
import { Inference } from "../../src/inference/Inference.ts"
import { InferenceError } from "../../src/inference/InferenceError.ts"
import {
  type LoadedModel,
  RunFailed,
  RunnerLost,
  RunTimedOut,
  RuntimeError,
} from "../../src/inference/ModelRuntime.ts"
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
    const draft = {
      model,
      size: 1,
      signature,
      summary,
      graph: "{}",
      description: "",
      createdBy: null,
      alias: null,
      force: false,
    }
    yield* store.insertVersion({ ...draft, digest, state: "ready", createModel: true })
    yield* store.insertVersion({
      ...draft,
      digest: digestOf("other"),
      state: "validating",
      createModel: false,
    })
  }),
)

const timeouts = { defaultTimeout: Duration.seconds(30), maxTimeout: Duration.seconds(60) }

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
        Layer.provide(AuditLog.layer),
        Layer.provide(
          Layer.mergeAll(
            layerRegistryStoreMemory,
            layerArtifacts,
            runtime.layer,
            ForgeConfig.layer(timeouts),
          ),
        ),
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

/** Runs of what tests send; the model is also run to warm it up. */
const onlyOf =
  (run: LoadedModel["run"]): LoadedModel["run"] =>
  (members, outputs) =>
    members.some((inputs) => inputs["x"] === x)
      ? run(members, outputs)
      : Promise.resolve({ outputs: {}, queueMs: 0, computeMs: 0 })

it.effect("gives the outputs, which version answered, and where the time went", () =>
  Effect.gen(function* () {
    const { runtime, inference, route } = yield* open
    const asked: Array<unknown> = []
    runtime.run = onlyOf((members, outputs) => {
      asked.push([members, outputs])
      return Promise.resolve({ outputs: { y }, queueMs: 1, computeMs: 2 })
    })
    const first = yield* Effect.promise(() => inference.run(route, { x }, ["y"]))
    assert.deepStrictEqual(first.outputs, { y })
    assert.deepStrictEqual(
      { version: first.version, cache: first.cache, computeMs: first.computeMs },
      { version: route.version, cache: "bypass", computeMs: 2 },
    )
    assert.isAtLeast(first.queueMs, 1)
    const second = yield* Effect.promise(() => inference.run(route, { x }, []))
    assert.isAtLeast(second.queueMs, 1)
    assert.deepStrictEqual(asked, [
      [[{ x }], ["y"]],
      [[{ x }], ["y", "z"]],
    ])
  }),
)

it.effect("time that is up before it could be waited for is a deadline like any other", () =>
  Effect.gen(function* () {
    const { inference, route } = yield* open
    const warned = vi.spyOn(process, "emitWarning")
    const reason = yield* failure(inference.run(route, { x }, ["y"], { timeoutMs: 1e-9 }))
    assert.strictEqual(reason._tag, "DeadlineExceeded")
    assert.deepStrictEqual(warned.mock.calls, [])
    warned.mockRestore()
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
    yield* TestClock.adjust("10 seconds")
    const bug = new Error("a bug")
    const failures: Array<Error> = []
    runtime.run = onlyOf(() => Promise.reject(failures.shift()))
    for (const reason of [new RunFailed({ detail: "no" }), new RunTimedOut({ limitMs: 5 })]) {
      failures.push(new RuntimeError({ reason }))
      assert.strictEqual(yield* failure(inference.run(route, { x }, [])), reason)
    }
    failures.push(bug)
    assert.strictEqual(yield* settled(inference.run(route, { x }, [])), bug)
  }),
)

it.effect("a lost runner is forgiven once", () =>
  Effect.gen(function* () {
    const { runtime, inference, route } = yield* open
    const lost = new RunnerLost({ detail: "no" })
    let losses = 0
    let last = 1
    runtime.run = onlyOf(() =>
      ++losses <= last
        ? Promise.reject(new RuntimeError({ reason: lost }))
        : Promise.resolve({ outputs: { y }, queueMs: 1, computeMs: 2 }),
    )
    assert.deepStrictEqual((yield* Effect.promise(() => inference.run(route, { x }, ["y"]))).outputs, { y })
    losses = 0
    last = 2
    assert.strictEqual(yield* failure(inference.run(route, { x }, ["y"])), lost)
    assert.strictEqual(losses, 2)
  }),
)

it.effect("a caller who leaves while the model loads hears why at once; the load goes on", () =>
  Effect.gen(function* () {
    const { runtime, inference, route } = yield* open
    const gate = yield* Deferred.make<void>()
    runtime.load = () => Deferred.await(gate)
    const [leaving, staying] = [new AbortController(), new AbortController()]
    const left = inference.run(route, { x }, [], { signal: leaving.signal })
    const stayed = inference.run(route, { x }, [], { signal: staying.signal })
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
    assert.strictEqual(
      yield* settled(inference.run(route, { x }, [], { signal: AbortSignal.abort("gone") })),
      "gone",
    )
    assert.deepStrictEqual(runtime.loads, [])
  }),
)

it.effect("a caller who leaves during the run hears the signal's reason", () =>
  Effect.gen(function* () {
    const { runtime, inference, route } = yield* open
    const begun = yield* Deferred.make<void>()
    runtime.run = onlyOf(() => {
      Deferred.doneUnsafe(begun, Effect.void)
      return new Promise(() => {})
    })
    const controller = new AbortController()
    const running = inference.run(route, { x }, [], { signal: controller.signal })
    yield* Deferred.await(begun)
    controller.abort("gone")
    assert.strictEqual(yield* settled(running), "gone")
  }),
)

it.effect("leaves nothing on a signal that outlives its requests", () =>
  Effect.gen(function* () {
    const { runtime, inference, route } = yield* open
    const gate = yield* Deferred.make<void>()
    runtime.load = () => Deferred.await(gate)
    const { signal } = new AbortController()
    const listening = () => getEventListeners(signal, "abort").length
    const late = settled(inference.run(route, { x }, [], { signal, timeoutMs: 1 }))
    assert.strictEqual(listening(), 1)
    assert.instanceOf(yield* late, InferenceError)
    // The load is still under way.
    assert.strictEqual(listening(), 0)
    const running = inference.run(route, { x }, [], { signal })
    yield* Deferred.succeed(gate, undefined)
    yield* Effect.promise(() => running)
    assert.strictEqual(listening(), 0)
  }),
)

describe("time", () => {
  /** Passes it until the request is answered, and says how much that was. */
  const patience = (promise: Promise<unknown>) =>
    Effect.promise(async () => {
      let answered = false
      void promise.then(
        () => {
          answered = true
        },
        () => {
          answered = true
        },
      )
      let passed = 0
      for (; !answered && passed < 100_000; passed += 500) await vi.advanceTimersByTimeAsync(500)
      return passed
    })

  const fakeTime = Effect.acquireRelease(
    Effect.sync(() =>
      vi.useFakeTimers({
        toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "performance"],
      }),
    ),
    () => Effect.sync(() => vi.useRealTimers()),
  )

  const cases = [
    [undefined, 30_000],
    [5000, 5000],
    [45_000, 45_000],
    [1_000_000, 60_000],
    [Number.POSITIVE_INFINITY, 60_000],
  ] as const

  for (const [timeoutMs, expected] of cases)
    it.effect(`asked for ${timeoutMs}, is up after ${expected} ms, loading and waiting together`, () =>
      Effect.gen(function* () {
        const { runtime, inference, route } = yield* open
        const gate = yield* Deferred.make<void>()
        runtime.load = () => Deferred.await(gate)
        runtime.run = onlyOf(() => new Promise(() => {}))
        yield* fakeTime
        const loading = inference.run(route, { x }, [], { timeoutMs })
        assert.strictEqual(yield* patience(loading), expected)
        const first = yield* failure(loading)
        assert.strictEqual(first._tag, "DeadlineExceeded")
        assert.include(first.message, `within the ${expected} ms`)

        const running = inference.run(route, { x }, [], { timeoutMs })
        yield* Effect.promise(() => vi.advanceTimersByTimeAsync(2000))
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* patience(running), expected - 2000)
        // It is told the time it had, not what the load left of it.
        assert.strictEqual((yield* failure(running)).message, first.message)
      }),
    )
})

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
    runtime.run = onlyOf(() => Promise.reject(bug))
    const died = inference
      .predict({ model: "digits", inputs: { x } })
      .pipe(Effect.as<unknown>("it was answered"), Effect.catchDefect(Effect.succeed))
    assert.strictEqual(yield* died, bug)
  }),
)

it.effect("an interrupted predict that waits is withdrawn", () =>
  Effect.gen(function* () {
    const { runtime, inference, route } = yield* open
    const ended: Array<() => void> = []
    const begun = yield* Deferred.make<void>()
    runtime.run = onlyOf(() => {
      if (ended.length === 1) Deferred.doneUnsafe(begun, Effect.void)
      return new Promise((resolve) => {
        ended.push(() => resolve({ outputs: { y }, queueMs: 0, computeMs: 100 }))
      })
    })
    const busy = [inference.run(route, { x }, []), inference.run(route, { x }, [])]
    yield* Deferred.await(begun)
    // Both places of the model are taken.
    const fiber = yield* Effect.forkChild(inference.predict({ model: "digits", inputs: { x } }))
    yield* Effect.yieldNow
    yield* Fiber.interrupt(fiber)
    for (const end of ended) end()
    yield* Effect.promise(() => Promise.all(busy))
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(() => setImmediate(resolve))))
    assert.lengthOf(ended, 2)
  }),
)
