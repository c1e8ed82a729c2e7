import { assert, describe, it } from "@effect/vitest"
import { DateTime, Deferred, Effect, Exit, Fiber, Option, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ArtifactStore } from "../../src/artifacts/ArtifactStore.ts"
import { ModelName } from "../../src/model/Names.ts"
import { UploadInterrupted } from "../../src/registry/RegistryError.ts"
import { bytesOf, digestOf, forbidden, loadFailed, signature, streamOf, summary, World } from "../fakes.ts"
import { first, model, production, push, refused, routed, slowTrials } from "./uploading.ts"

const nothingRemains = Effect.fnUntraced(function* (world: World) {
  assert.deepStrictEqual(yield* world.staged, [])
  assert.deepStrictEqual(yield* world.artifacts, [])
  assert.isTrue(Option.isNone(yield* world.store.findModel(model)))
  assert.isUndefined(yield* routed())
})

describe("an upload that passes", () => {
  it.effect("becomes the next version, is routed to, and its file is stored", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const version = yield* push("model one", {
            expectedDigest: digestOf("model one"),
            alias: production,
            description: "the first",
            createdBy: "someone",
          })
          assert.deepInclude(
            { ...version },
            {
              model,
              version: first,
              digest: digestOf("model one"),
              size: 9,
              state: "ready",
              reason: null,
              signature,
              summary,
              description: "the first",
              createdBy: "someone",
            },
          )
          assert.strictEqual(yield* routed(), first)
          assert.strictEqual(yield* routed("production"), first)
          assert.deepStrictEqual(yield* world.staged, [])
          assert.deepStrictEqual(yield* world.artifacts, [digestOf("model one")])
          assert.lengthOf(world.runtime.trials, 1)
          assert.strictEqual((yield* push("model two")).version, 2)
          assert.strictEqual(yield* routed(), first)
        }),
      )
    }),
  )

  it.effect("says nothing of itself unless the sender did", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      const version = yield* world.open(push("model"))
      assert.deepInclude({ ...version }, { description: "", createdBy: null })
    }),
  )

  it.effect("twenty at once get the numbers 1 to 20, in the order of their commits", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const versions = yield* Effect.forEach(
            Array.from({ length: 20 }, (_, i) => `model ${i}`),
            (content) => push(content),
            { concurrency: "unbounded" },
          )
          assert.deepStrictEqual(
            versions.map(({ version }) => Number(version)).sort((a, b) => a - b),
            Array.from({ length: 20 }, (_, i) => i + 1),
          )
          assert.lengthOf(new Set(versions.map(({ digest }) => digest)), 20)
          assert.strictEqual(Number(yield* routed()), 20)
          assert.deepStrictEqual(yield* world.staged, [])
        }),
      )
    }),
  )

  it.effect("is a version even if its route can't be read at once", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          world.outage.fail("findRoutes")
          assert.strictEqual((yield* push("model")).state, "ready")
          assert.isUndefined(yield* routed())
          world.outage.end()
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* routed(), first)
        }),
      )
    }),
  )
})

describe("an upload that is refused leaves nothing", () => {
  /** The reason of the refusal; afterwards nothing may remain. */
  const refusal = Effect.fnUntraced(function* (world: World, upload: ReturnType<typeof push>) {
    return yield* world.open(
      Effect.gen(function* () {
        const reason = yield* refused(upload)
        yield* nothingRemains(world)
        return reason
      }),
    )
  })

  it.effect("when there is no such model and it may not be made; not a byte is read", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      let read = false
      const bytes = Stream.tap(streamOf("model"), () =>
        Effect.sync(() => {
          read = true
        }),
      )
      for (const createModel of [false, undefined]) {
        const reason = yield* refusal(world, push("", { createModel, bytes }))
        assert.strictEqual(reason.message, 'There is no model "digits"')
      }
      assert.isFalse(read)
    }),
  )

  it.effect("when it is too large, as soon as that is known", () =>
    Effect.gen(function* () {
      const world = yield* World.make({ maxArtifactBytes: 10 })
      const bytes = Stream.concat(streamOf("x".repeat(12)), Stream.die("it was read on"))
      const reason = yield* refusal(world, push("", { bytes }))
      assert.strictEqual(reason.message, "The file is larger than the 10 bytes this server takes")
      assert.strictEqual((yield* world.open(push("x".repeat(10)))).size, 10)
    }),
  )

  it.effect("when the digest is not the one announced", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      const [expected, actual] = [digestOf("another"), digestOf("model")]
      const reason = yield* refusal(world, push("model", { expectedDigest: expected }))
      assert.deepInclude(reason, { _tag: "DigestMismatch", expected, actual })
      assert.deepStrictEqual(world.runtime.trials, [])
    }),
  )

  it.effect("when the scan refuses it, in the middle or at its end", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      const bytes = Stream.concat(
        Stream.make(bytesOf("fine"), bytesOf(forbidden)),
        Stream.die("it was read on"),
      )
      const middle = yield* refusal(world, push("", { bytes }))
      assert.deepInclude(middle, { _tag: "UnusableModel", code: "external-data" })
      const end = yield* refusal(world, push(""))
      assert.deepInclude(end, { _tag: "UnusableModel", code: "empty" })
      assert.deepStrictEqual(world.runtime.trials, [])
    }),
  )

  it.effect("when the transfer breaks", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      const bytes = Stream.concat(
        streamOf("half a mo"),
        Stream.fail(new UploadInterrupted({ detail: "the connection was reset" })),
      )
      const reason = yield* refusal(world, push("", { bytes }))
      assert.strictEqual(
        reason.message,
        "The upload ended before the file was complete: the connection was reset",
      )
    }),
  )

  it.effect("when its trial can't load it", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      world.runtime.trial = () => Effect.fail(loadFailed("unknown operator Foo"))
      const reason = yield* refusal(world, push("model"))
      assert.deepInclude(reason, {
        _tag: "UnusableModel",
        code: "not-loadable",
        detail: "The model could not be loaded: unknown operator Foo",
      })
    }),
  )

  it.effect("when its trial breaks because of a bug of ours", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      world.runtime.trial = () => Effect.die(new Error("a bug"))
      yield* world.open(
        Effect.gen(function* () {
          assert.isTrue(Exit.hasDies(yield* Effect.exit(push("model"))))
          yield* nothingRemains(world)
        }),
      )
    }),
  )

  it.effect("when the store fails; what was stored as bytes may be stored again", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          world.outage.fail("insertVersion", 1)
          assert.strictEqual((yield* refused(push("model")))._tag, "StoreUnavailable")
          assert.deepStrictEqual(yield* world.staged, [])
          assert.isTrue(Option.isNone(yield* world.store.findModel(model)))
          assert.strictEqual((yield* push("model")).version, first)
        }),
      )
    }),
  )

  it.effect("when the request is interrupted while bytes arrive", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const arriving = yield* Deferred.make<void>()
          const bytes = Stream.concat(
            streamOf("half a mo"),
            Stream.fromEffect(Effect.andThen(Deferred.succeed(arriving, undefined), Effect.never)),
          )
          const request = yield* Effect.forkChild(push("", { bytes }))
          yield* Deferred.await(arriving)
          assert.lengthOf(yield* world.staged, 1)
          yield* Fiber.interrupt(request)
          yield* nothingRemains(world)
        }),
      )
    }),
  )

  it.effect("when the request is interrupted during the trial, which ends with it", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const { begun, interrupted } = yield* slowTrials(world)
          const request = yield* Effect.forkChild(push("model"))
          yield* Deferred.await(begun)
          yield* Fiber.interrupt(request)
          assert.strictEqual(interrupted(), 1)
          yield* nothingRemains(world)
        }),
      )
    }),
  )
})

it.effect("an artifact that a collector takes before there is a version is put back", () =>
  Effect.gen(function* () {
    const world = yield* World.make()
    yield* world.open(
      Effect.gen(function* () {
        const artifacts = yield* ArtifactStore
        const digest = digestOf("model")
        const committedBefore = DateTime.makeUnsafe("9000-01-01T00:00:00Z")
        const removal = { committedBefore, isNeeded: Effect.succeed(false) }
        const taken = Effect.map(Effect.orDie(artifacts.remove(digest, removal)), assert.isTrue)
        world.outage.hold("insertVersion", taken)
        yield* push("model")
        assert.deepStrictEqual(yield* world.artifacts, [digest])
      }),
    )
  }),
)

describe("bytes that are a version already", () => {
  it.effect("are refused with its number, and need no trial", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          yield* push("model")
          yield* push("another model")
          const reason = yield* refused(push("model"))
          assert.strictEqual(reason.message, 'These bytes are version 1 of model "digits" already')
          assert.lengthOf(world.runtime.trials, 2)
          assert.deepStrictEqual(yield* world.staged, [])
          // They may be a version of another model.
          assert.strictEqual((yield* push("model", { model: ModelName.make("letters") })).version, first)
        }),
      )
    }),
  )

  it.effect("sent twice at once become one version", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const both = yield* Deferred.make<void>()
          world.runtime.trial = () =>
            world.runtime.trials.length === 2 ? Deferred.succeed(both, undefined) : Deferred.await(both)
          const outcomes = yield* Effect.all([Effect.result(push("model")), Effect.result(push("model"))], {
            concurrency: "unbounded",
          })
          const won = outcomes.filter(Result.isSuccess)
          const lost = outcomes.filter(Result.isFailure)
          assert.deepStrictEqual(
            won.map(({ success }) => success.version),
            [first],
          )
          assert.deepStrictEqual(
            lost.map(({ failure }) => failure.message),
            ['These bytes are version 1 of model "digits" already'],
          )
          assert.deepStrictEqual(yield* world.staged, [])
          assert.deepStrictEqual(yield* world.artifacts, [digestOf("model")])
        }),
      )
    }),
  )
})
