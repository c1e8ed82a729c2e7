import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { ArtifactError, ArtifactStorageFailed } from "../../src/artifacts/ArtifactError.ts"
import { ArtifactStore } from "../../src/artifacts/ArtifactStore.ts"
import { AliasName, ModelName } from "../../src/model/Names.ts"
import type { VersionNumber } from "../../src/model/Version.ts"
import { Registry } from "../../src/registry/Registry.ts"
import { RoutingTable } from "../../src/registry/RoutingTable.ts"
import { Validator } from "../../src/registry/Validator.ts"
import { digestOf, loadFailed, runnerUnavailable, signature, streamOf, summary, World } from "../fakes.ts"

const production = AliasName.make("production")

/** A version that a server which stopped left `validating`. */
const left = Effect.fnUntraced(function* (world: World, name: string) {
  return yield* world.store.insertVersion({
    model: ModelName.make(name),
    digest: digestOf(name),
    size: 1,
    state: "validating",
    signature,
    summary,
    graph: "{}",
    description: "",
    createdBy: null,
    createModel: true,
    alias: production,
    force: false,
  })
})

const storeArtifact = (content: string) =>
  Effect.gen(function* () {
    const artifacts = yield* ArtifactStore
    const staged = yield* artifacts.stage(streamOf(content), 1000)
    yield* staged.commit
  }).pipe(Effect.scoped)

const stateOf = Effect.fnUntraced(function* (world: World, name: string) {
  const version = yield* world.store.findVersion(ModelName.make(name), 1 as VersionNumber)
  return Option.getOrThrow(version)
})

const settled = Effect.fnUntraced(function* (world: World, name: string) {
  while (true) {
    const version = yield* stateOf(world, name)
    if (version.state !== "validating") return version
    yield* Effect.yieldNow
  }
})

/** A world whose artifacts are there before its registry starts. */
const worldWith = Effect.fnUntraced(function* (...contents: ReadonlyArray<string>) {
  const world = yield* World.make()
  yield* world.open(Effect.forEach(contents, storeArtifact))
  return world
})

it.effect("takes up at the start what was left validating, and routes to it", () =>
  Effect.gen(function* () {
    const world = yield* worldWith("good", "bad")
    yield* left(world, "good")
    yield* left(world, "bad")
    world.runtime.trial = (file) =>
      file.endsWith(digestOf("bad")) ? Effect.fail(loadFailed("it crashed")) : Effect.void
    yield* world.open(
      Effect.gen(function* () {
        assert.strictEqual((yield* settled(world, "good")).state, "ready")
        const bad = yield* settled(world, "bad")
        assert.deepStrictEqual(
          [bad.state, bad.reason],
          ["invalid", "The model could not be loaded: it crashed"],
        )
        const routing = yield* RoutingTable
        while (routing.readyVersions("good")?.length === 0) yield* Effect.yieldNow
        const good = yield* Registry.use((registry) => registry.model(ModelName.make("good")))
        assert.deepStrictEqual(Object.entries(good.aliases), [["production", 1]])
        assert.isUndefined(routing.readyVersions("bad")?.[0])
      }),
    )
  }),
)

it.effect("tries the stored artifact by its path", () =>
  Effect.gen(function* () {
    const world = yield* worldWith("good")
    yield* left(world, "good")
    yield* world.open(settled(world, "good"))
    const digest = digestOf("good")
    assert.deepStrictEqual(world.runtime.trials, [
      `${world.directory}/sha256/${digest.slice(0, 2)}/${digest}`,
    ])
  }),
)

it.effect("a version without its artifact is invalid", () =>
  Effect.gen(function* () {
    const world = yield* worldWith()
    yield* left(world, "lost")
    const version = yield* world.open(settled(world, "lost"))
    assert.deepStrictEqual(
      [version.state, version.reason],
      ["invalid", "Its artifact is missing: upload it again"],
    )
    assert.deepStrictEqual(world.runtime.trials, [])
  }),
)

it.effect("waits for runners on a schedule: sooner at first, then once a minute", () =>
  Effect.gen(function* () {
    const world = yield* worldWith("good")
    yield* left(world, "good")
    const begun = yield* Deferred.make<void>()
    world.runtime.trial = () =>
      Effect.andThen(Deferred.succeed(begun, undefined), Effect.fail(runnerUnavailable("none left")))
    yield* world.open(
      Effect.gen(function* () {
        yield* Deferred.await(begun)
        const tried: Array<number> = []
        for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
          yield* TestClock.adjust(seconds * 1000 - 1)
          const before = world.runtime.trials.length
          yield* TestClock.adjust(1)
          tried.push(world.runtime.trials.length - before)
        }
        assert.deepStrictEqual(tried, [1, 1, 1, 1, 1, 1, 1, 1])
        assert.strictEqual((yield* stateOf(world, "good")).state, "validating")
        world.runtime.trial = () => Effect.void
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* settled(world, "good")).state, "ready")
      }),
    )
  }),
)

it.effect("waits for the store, to read what is to be done and to write what came of it", () =>
  Effect.gen(function* () {
    const world = yield* worldWith("good")
    yield* left(world, "good")
    world.outage.fail("listValidating", 3)
    world.outage.fail("settleVersion", 3)
    yield* world.open(
      Effect.gen(function* () {
        const settling = yield* Effect.forkChild(settled(world, "good"))
        while (settling.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* stateOf(world, "good")).state, "ready")
        assert.lengthOf(world.runtime.trials, 1)
      }),
    )
  }),
)

it.effect("waits for the artifacts, too", () =>
  Effect.gen(function* () {
    const world = yield* World.make()
    yield* left(world, "good")
    let failures = 3
    const layerArtifacts = Layer.mock(ArtifactStore, {
      file: () =>
        Effect.suspend(() => {
          if (failures === 0) return Effect.succeed("/artifacts/good")
          failures -= 1
          return Effect.fail(
            new ArtifactError({
              reason: new ArtifactStorageFailed({ operation: "file", cause: new Error("the disk is away") }),
            }),
          )
        }),
    })
    const validator = Validator.layer.pipe(
      Layer.provideMerge(RoutingTable.layer),
      Layer.provide([Layer.succeedContext(world.stored), layerArtifacts, world.runtime.layer]),
    )
    yield* Effect.gen(function* () {
      const resuming = yield* Effect.forkChild(Validator.use(({ resume }) => resume))
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual((yield* stateOf(world, "good")).state, "validating")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(resuming)
      assert.strictEqual((yield* stateOf(world, "good")).state, "ready")
      assert.deepStrictEqual(world.runtime.trials, ["/artifacts/good"])
    }).pipe(Effect.provide(validator))
  }),
)

it.effect("one version that never ends, or ends in a bug of ours, holds up no other", () =>
  Effect.gen(function* () {
    const names = ["endless", "bug", "good", "fine"]
    const world = yield* worldWith(...names)
    yield* Effect.forEach(names, (name) => left(world, name))
    world.runtime.trial = (file) => {
      if (file.endsWith(digestOf("endless"))) return Effect.never
      return file.endsWith(digestOf("bug")) ? Effect.die(new Error("a bug")) : Effect.void
    }
    yield* world.open(
      Effect.gen(function* () {
        yield* settled(world, "good")
        yield* settled(world, "fine")
        assert.strictEqual((yield* stateOf(world, "endless")).state, "validating")
        // Left for the next start, when the bug may be gone.
        assert.strictEqual((yield* stateOf(world, "bug")).state, "validating")
      }),
    )
  }),
)

it.effect("a version that was deleted meanwhile does not come back", () =>
  Effect.gen(function* () {
    const world = yield* worldWith("good")
    const { model, version } = yield* left(world, "good")
    const [begun, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const settling = yield* Deferred.make<void>()
    world.runtime.trial = () => Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(gate))
    world.outage.hold("settleVersion", Effect.asVoid(Deferred.succeed(settling, undefined)))
    yield* world.open(
      Effect.gen(function* () {
        yield* Deferred.await(begun)
        yield* Registry.use((registry) => registry.deleteVersion(model, String(version)))
        yield* Deferred.succeed(gate, undefined)
        yield* Deferred.await(settling)
        yield* Effect.yieldNow
        assert.isTrue(Option.isNone(yield* world.store.findVersion(model, version)))
        const routing = yield* RoutingTable
        assert.deepStrictEqual(routing.readyVersions(model), [])
      }),
    )
  }),
)
