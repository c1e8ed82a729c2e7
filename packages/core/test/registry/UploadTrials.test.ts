import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import { VersionNumber } from "../../src/model/Version.ts"
import type { Upload } from "../../src/registry/Uploads.ts"
import { digestOf, loadFailed, runnerUnavailable, World } from "../fakes.ts"
import { first, model, production, push, refused, routed, settledAs, slowTrials } from "./uploading.ts"

/** An upload whose trial goes on when patience ends. */
const validating = Effect.fnUntraced(function* (world: World) {
  const trial = yield* slowTrials(world)
  const request = yield* Effect.forkChild(push("model", { alias: production }))
  yield* Deferred.await(trial.begun)
  yield* TestClock.adjust("30 seconds")
  const version = yield* Fiber.join(request)
  assert.strictEqual(version.state, "validating")
  assert.isUndefined(yield* routed())
  // The trial reads the staged file, which must not go before it.
  assert.lengthOf(yield* world.staged, 1)
  assert.deepStrictEqual(yield* world.artifacts, [digestOf("model")])
  return trial
})

it.effect("a trial that takes its time is waited for as long as patience is set to", () =>
  Effect.gen(function* () {
    const world = yield* World.make()
    yield* world.open(
      Effect.gen(function* () {
        const trial = yield* slowTrials(world)
        const request = yield* Effect.forkChild(push("model"))
        yield* Deferred.await(trial.begun)
        yield* TestClock.adjust("29 seconds")
        assert.isUndefined(request.pollUnsafe())
        yield* Deferred.succeed(trial.verdict, undefined)
        assert.strictEqual((yield* Fiber.join(request)).state, "ready")
      }),
    )
  }),
)

/** An upload whose alias moves, during its trial, to version 2, with which its callers say other things. */
const overtaken = Effect.fnUntraced(function* (world: World, fields: Partial<Upload> = {}) {
  const { store } = world
  const stored = yield* push("model one", { alias: production })
  const trial = yield* slowTrials(world)
  const request = yield* Effect.forkChild(push("model", { alias: production, ...fields }))
  yield* Deferred.await(trial.begun)
  const { version } = yield* store.insertVersion({
    ...stored,
    digest: digestOf("model two"),
    signature: { ...stored.signature, inputs: [{ name: "other", datatype: "BYTES", shape: [-1] }] },
    graph: "{}",
    state: "ready",
    createModel: false,
    alias: null,
    force: false,
  })
  yield* store.setAlias(model, production, version)
  return { ...trial, request }
})

const third = VersionNumber.make(3)
const target = (world: World) =>
  Effect.map(world.store.findModel(model), (found) => Option.getOrThrow(found).aliases[production])

it.effect("an upload whose alias moved elsewhere during the trial is refused, unless forced", () =>
  Effect.gen(function* () {
    const world = yield* World.make()
    yield* world.open(
      Effect.gen(function* () {
        const { request, verdict } = yield* overtaken(world)
        yield* Deferred.succeed(verdict, undefined)
        assert.deepInclude(yield* refused(Fiber.join(request)), {
          _tag: "IncompatibleSignature",
          alias: production,
          from: 2,
          to: null,
        })
        assert.deepStrictEqual(yield* world.staged, [])
        assert.isTrue(Option.isNone(yield* world.store.findVersion(model, third)))
        assert.strictEqual(yield* target(world), 2)
        assert.strictEqual((yield* push("model", { alias: production, force: true })).version, third)
        assert.strictEqual(yield* target(world), third)
      }),
    )
  }),
)

it.effect(
  "an upload whose alias moved elsewhere, and that is answered before, is ready without the alias",
  () =>
    Effect.gen(function* () {
      for (const force of [false, true]) {
        const world = yield* World.make()
        yield* world.open(
          Effect.gen(function* () {
            const { request, verdict } = yield* overtaken(world, { force })
            yield* TestClock.adjust("30 seconds")
            assert.strictEqual((yield* Fiber.join(request)).state, "validating")
            yield* Deferred.succeed(verdict, undefined)
            yield* settledAs(world, "ready", third)
            assert.strictEqual(yield* target(world), force ? third : 2)
          }),
        )
      }
    }),
)

it.effect("a trial that takes its time ends as ready: then the alias is set and requests are routed", () =>
  Effect.gen(function* () {
    const world = yield* World.make()
    yield* world.open(
      Effect.gen(function* () {
        const { verdict } = yield* validating(world)
        yield* Deferred.succeed(verdict, undefined)
        yield* settledAs(world, "ready")
        while ((yield* world.staged).length > 0) yield* Effect.yieldNow
        assert.strictEqual(yield* routed(), first)
        assert.strictEqual(yield* routed("production"), first)
      }),
    )
  }),
)

it.effect(
  "a trial that takes its time ends as invalid: then the version says why and no alias points at it",
  () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const { verdict } = yield* validating(world)
          yield* Deferred.fail(verdict, loadFailed("it takes too much memory"))
          const version = yield* settledAs(world, "invalid")
          assert.strictEqual(version.reason, "The model could not be loaded: it takes too much memory")
          while ((yield* world.staged).length > 0) yield* Effect.yieldNow
          assert.isUndefined(yield* routed())
          assert.isUndefined(yield* routed("production"))
        }),
      )
    }),
)

it.effect(
  "a trial that takes its time is tried again while there is no runner, however long that takes",
  () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const begun = yield* Deferred.make<void>()
          world.runtime.trial = () =>
            Effect.andThen(
              Deferred.succeed(begun, undefined),
              Effect.fail(runnerUnavailable("too many processes")),
            )
          const request = yield* Effect.forkChild(push("model"))
          yield* Deferred.await(begun)
          yield* TestClock.adjust("30 seconds")
          assert.strictEqual((yield* Fiber.join(request)).state, "validating")
          yield* TestClock.adjust("10 minutes")
          // At first soon, then once a minute: 1 + 2 + 4 + 8 + 16 + 32 seconds, and nine more minutes.
          assert.isAtLeast(world.runtime.trials.length, 14)
          assert.isAtMost(world.runtime.trials.length, 18)
          world.runtime.trial = () => Effect.void
          yield* TestClock.adjust("1 minute")
          yield* settledAs(world, "ready")
          assert.strictEqual(yield* routed(), first)
        }),
      )
    }),
)

it.effect("a trial that takes its time goes on when the request that brought it ends", () =>
  Effect.gen(function* () {
    const world = yield* World.make()
    yield* world.open(
      Effect.gen(function* () {
        const trial = yield* slowTrials(world)
        const request = yield* Effect.forkChild(Effect.andThen(push("model"), Effect.never))
        yield* Deferred.await(trial.begun)
        yield* TestClock.adjust("30 seconds")
        yield* settledAs(world, "validating")
        yield* Fiber.interrupt(request)
        assert.strictEqual(trial.interrupted(), 0)
        yield* Deferred.succeed(trial.verdict, undefined)
        yield* settledAs(world, "ready")
      }),
    )
  }),
)

it.effect(
  "a trial that takes its time goes on when the request is interrupted in the middle of the commit",
  () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const trial = yield* slowTrials(world)
          const [committing, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
          world.outage.hold(
            "insertVersion",
            Effect.andThen(Deferred.succeed(committing, undefined), Deferred.await(gate)),
          )
          const request = yield* Effect.forkChild(push("model"))
          yield* Deferred.await(trial.begun)
          yield* TestClock.adjust("30 seconds")
          yield* Deferred.await(committing)
          const interrupting = yield* Effect.forkChild(Fiber.interrupt(request))
          yield* Effect.yieldNow
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.join(interrupting)
          yield* Deferred.succeed(trial.verdict, undefined)
          yield* settledAs(world, "ready")
        }),
      )
    }),
)

it.effect("a trial that takes its time is recorded once the store is back", () =>
  Effect.gen(function* () {
    const world = yield* World.make()
    yield* world.open(
      Effect.gen(function* () {
        const { verdict } = yield* validating(world)
        world.outage.fail("settleVersion", 2)
        yield* Deferred.succeed(verdict, undefined)
        yield* TestClock.adjust("10 seconds")
        yield* settledAs(world, "ready")
        assert.strictEqual(yield* routed(), first)
      }),
    )
  }),
)

it.effect("a trial that takes its time ends with the server, and what was staged goes with it", () =>
  Effect.gen(function* () {
    const world = yield* World.make()
    const { interrupted } = yield* world.open(validating(world))
    assert.strictEqual(interrupted(), 1)
    assert.deepStrictEqual(yield* world.staged, [])
    assert.strictEqual((yield* settledAs(world, "validating")).version, first)
  }),
)
