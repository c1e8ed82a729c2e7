import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { RunFailed, RunnerLost, RuntimeError } from "../../src/inference/ModelRuntime.ts"
import { loadFailed, runnerUnavailable } from "../fakes.ts"
import {
  a,
  b,
  broken,
  damaged,
  loaded,
  missing,
  open,
  rejection,
  routeTo,
  submit,
  sums,
  x,
} from "./loadedModelsFixture.ts"

it.effect("one load serves everyone who waits, and then stays", () =>
  Effect.gen(function* () {
    const { runtime, models } = yield* open()
    const gate = yield* Deferred.make<void>()
    runtime.load = () => Deferred.await(gate)
    const waiting = [models.get(routeTo(a)), models.get(routeTo(a)), models.get(routeTo(a))]
    yield* Deferred.succeed(gate, undefined)
    const [first, ...others] = yield* Effect.promise(() => Promise.all(waiting))
    for (const other of others) assert.strictEqual(other, first)
    // From now on it is there without a promise.
    assert.strictEqual(models.get(routeTo(a)), first)
    assert.deepStrictEqual(runtime.loads, [a])
  }),
)

it.effect("different artifacts load side by side", () =>
  Effect.gen(function* () {
    const { runtime, models } = yield* open()
    const gate = yield* Deferred.make<void>()
    runtime.load = (digest) => (digest === a ? Deferred.await(gate) : Effect.void)
    const slow = models.get(routeTo(a))
    const fast = yield* loaded(models, b)
    yield* Deferred.succeed(gate, undefined)
    assert.notStrictEqual(yield* Effect.promise(async () => await slow), fast)
  }),
)

it.effect("a load that failed tells everyone why, and is tried again a little later", () =>
  Effect.gen(function* () {
    const { runtime, models } = yield* open()
    const gate = yield* Deferred.make<void, RuntimeError>()
    runtime.load = () => Deferred.await(gate)
    const waiting = [models.get(routeTo(a)), models.get(routeTo(a))]
    yield* Deferred.fail(gate, loadFailed("unknown operator"))
    for (const promise of waiting) {
      const error = yield* rejection(promise)
      assert.strictEqual(error.reason._tag, "LoadFailed")
      assert.strictEqual(error.message, "The model could not be loaded: unknown operator")
    }
    runtime.load = () => Effect.void
    assert.strictEqual((yield* rejection(models.get(routeTo(a)))).reason._tag, "LoadFailed")
    assert.deepStrictEqual(models.serving(a), {
      state: "failed",
      reason: "The model could not be loaded: unknown operator",
    })
    assert.deepStrictEqual(runtime.loads, [a])
    yield* TestClock.adjust("10 seconds")
    yield* loaded(models, a)
    assert.deepStrictEqual(runtime.loads, [a, a])
  }),
)

it.effect("says why nothing could be loaded, and nothing of this machine", () =>
  Effect.gen(function* () {
    const { runtime, models } = yield* open()
    assert.strictEqual(
      (yield* rejection(models.get(routeTo(missing)))).message,
      "The model could not be loaded: its artifact is missing",
    )
    assert.strictEqual(
      (yield* rejection(models.get(routeTo(damaged)))).message,
      "The model could not be loaded: its artifact is damaged, delete this version and upload the file again",
    )
    assert.strictEqual(
      (yield* rejection(models.get(routeTo(broken)))).message,
      "No runner could be started: the artifact storage does not answer",
    )
    assert.deepStrictEqual(runtime.loads, [])
    runtime.load = () => Effect.fail(runnerUnavailable("too many processes"))
    assert.strictEqual(
      (yield* rejection(models.get(routeTo(a)))).message,
      "No runner could be started: too many processes",
    )
    runtime.load = () => Effect.die(new Error("/secret/path"))
    assert.strictEqual(
      (yield* rejection(models.get(routeTo(a)))).message,
      "No runner could be started: the load broke off unexpectedly, see the server's log",
    )
    runtime.load = () => Effect.interrupt
    assert.strictEqual((yield* rejection(models.get(routeTo(a)))).reason._tag, "RunnerUnavailable")
  }),
)

it.effect("a model is released when nothing routes to it any more, and loads again when asked for", () =>
  Effect.gen(function* () {
    const { runtime, models, route } = yield* open()
    yield* loaded(models, a)
    yield* loaded(models, b)
    route(a, b)
    route(b)
    yield* loaded(models, a)
    assert.deepStrictEqual(runtime.released, [a])
    assert.deepStrictEqual(runtime.loads, [a, b, a])
  }),
)

it.effect("a model that lost its route while it was loading is released once it is loaded", () =>
  Effect.gen(function* () {
    const { runtime, models, route } = yield* open()
    const gate = yield* Deferred.make<void>()
    runtime.load = (digest) => (digest === a ? Deferred.await(gate) : Effect.void)
    const waiting = models.get(routeTo(a))
    yield* loaded(models, b) // so that the load of `a` has begun, too
    route(b)
    yield* Deferred.succeed(gate, undefined)
    yield* Effect.promise(async () => await waiting)
    yield* Effect.yieldNow
    assert.deepStrictEqual(runtime.released, [a])
  }),
)

it.effect("closing answers who waits, releases what is loaded, and refuses what comes after", () =>
  Effect.gen(function* () {
    const { runtime, models, close } = yield* open()
    const interrupted = yield* Deferred.make<void>()
    runtime.load = (digest) =>
      digest === a
        ? Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
        : Effect.void
    const waiting = models.get(routeTo(a))
    yield* loaded(models, b)
    yield* close
    yield* Deferred.await(interrupted)
    assert.deepStrictEqual(runtime.released, [b])
    const stopping = "No runner could be started: the server is stopping"
    assert.strictEqual((yield* rejection(waiting)).message, stopping)
    assert.strictEqual((yield* rejection(models.get(routeTo(a)))).message, stopping)
    assert.strictEqual((yield* rejection(models.get(routeTo(b)))).message, stopping)
    assert.deepStrictEqual(runtime.loads, [a, b])
  }),
)

it.effect("closing answers who waits before a load that can't be interrupted has ended", () =>
  Effect.gen(function* () {
    const { runtime, models, close } = yield* open()
    const [begun, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    runtime.load = () =>
      Effect.uninterruptible(Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(gate)))
    const waiting = models.get(routeTo(a))
    yield* Deferred.await(begun)
    const closing = yield* Effect.forkChild(close)
    assert.include((yield* rejection(waiting)).message, "the server is stopping")
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(closing)
  }),
)

it.effect("closing releases models side by side: one that is slow to end its runs holds up no other", () =>
  Effect.gen(function* () {
    const { runtime, models, close } = yield* open()
    yield* loaded(models, a)
    yield* loaded(models, b)
    const both = yield* Deferred.make<void>()
    let releasing = 0
    runtime.release = () =>
      Effect.suspend(() => (++releasing === 2 ? Deferred.succeed(both, undefined) : Deferred.await(both)))
    yield* close
    assert.sameMembers(runtime.released, [a, b])
  }),
)

it.effect("a failure that nobody waits for any more is no unhandled rejection", () =>
  Effect.gen(function* () {
    const { runtime, models, close } = yield* open()
    const unhandled: Array<unknown> = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on("unhandledRejection", note)
    yield* Effect.addFinalizer(() => Effect.sync(() => process.off("unhandledRejection", note)))
    runtime.load = (digest) => (digest === a ? Effect.fail(loadFailed("no")) : Effect.never)
    void models.get(routeTo(a))
    void models.get(routeTo(missing))
    void models.get(routeTo(b))
    yield* rejection(models.get(routeTo(a)))
    yield* rejection(models.get(routeTo(missing)))
    yield* close
    void models.get(routeTo(a))
    // Node reports unhandled rejections once the microtasks of a turn are done.
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    assert.deepStrictEqual(unhandled, [])
  }),
)

it.effect("a model is warmed up before it takes requests, and joins as many as paid then", () =>
  Effect.gen(function* () {
    const { runtime, models } = yield* open()
    const sizes: Array<number> = []
    runtime.run = (members) => {
      sizes.push(members.length)
      return sums(members)
    }
    const batcher = yield* loaded(models, a)
    assert.strictEqual(Math.max(...sizes), 64)
    sizes.length = 0
    const answers = yield* Effect.promise(() =>
      Promise.all([submit(batcher, x(1, 2)), submit(batcher, x(3, 4, 5, 6))]),
    )
    assert.deepStrictEqual(sizes, [2])
    assert.deepStrictEqual(
      answers.map(({ outputs }) => outputs),
      [
        { y: { datatype: "FP32", shape: [1], data: Float32Array.of(3) } },
        { y: { datatype: "FP32", shape: [2], data: Float32Array.of(7, 11) } },
      ],
    )
  }),
)

it.effect("a model that can't be warmed up takes requests one by one", () =>
  Effect.gen(function* () {
    const { runtime, models } = yield* open()
    runtime.run = () => Promise.reject(new RuntimeError({ reason: new RunFailed({ detail: "zeros" }) }))
    const batcher = yield* loaded(models, a)
    const sizes: Array<number> = []
    runtime.run = (members) => {
      sizes.push(members.length)
      return sums(members)
    }
    yield* Effect.promise(() => Promise.all([submit(batcher, x(1, 2)), submit(batcher, x(3, 4))]))
    assert.deepStrictEqual(sizes, [1, 1])
  }),
)

it.effect("a runner that is lost while it is warmed up fails the load, and what it held is released", () =>
  Effect.gen(function* () {
    const { runtime, models } = yield* open()
    runtime.run = () => Promise.reject(new RuntimeError({ reason: new RunnerLost({ detail: "crashed" }) }))
    const error = yield* rejection(models.get(routeTo(a)))
    assert.strictEqual(error.reason._tag, "RunnerLost")
    runtime.run = () => Promise.reject(new Error("/secret/path"))
    assert.strictEqual(
      (yield* rejection(models.get(routeTo(a)))).message,
      "No runner could be started: the load broke off unexpectedly, see the server's log",
    )
    runtime.run = sums
    yield* loaded(models, a)
    assert.deepStrictEqual(runtime.released, [a, a])
    assert.deepStrictEqual(runtime.loads, [a, a, a])
  }),
)

it.effect("a model that nothing routes to any more answers those who wait before it is released", () =>
  Effect.gen(function* () {
    const { runtime, models, route } = yield* open()
    const batcher = yield* loaded(models, a)
    const held = Promise.withResolvers<void>()
    runtime.run = async (members) => {
      await held.promise
      return sums(members)
    }
    const answer = submit(batcher, x(1, 2))
    route(b)
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    assert.deepStrictEqual(runtime.released, [])
    held.resolve()
    yield* Effect.promise(() => answer)
    while (runtime.released.length === 0)
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    assert.deepStrictEqual(runtime.released, [a])
  }),
)
