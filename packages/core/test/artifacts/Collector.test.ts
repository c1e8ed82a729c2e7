import { assert, it } from "@effect/vitest"
import { Effect, Logger, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ArtifactError, ArtifactStorageFailed } from "../../src/artifacts/ArtifactError.ts"
import { Collector } from "../../src/artifacts/Collector.ts"
import { VersionNumber } from "../../src/model/Version.ts"
import { digestOf, storeDown } from "../fakes.ts"
import { commit, makeStores, model, refer, startCollector, stored } from "./collecting.ts"

const [a, b, c] = ["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"] as const
const all = [a, b, c]

const failing = new ArtifactError({
  reason: new ArtifactStorageFailed({ operation: "remove", cause: new Error("a bad disk") }),
})

it.effect("removes what nothing has referred to for the grace period, and tells how much that was", () =>
  Effect.gen(function* () {
    const stores = yield* makeStores
    const log: Array<string> = []
    const { collect } = yield* startCollector(stores)
    for (const content of all) yield* commit(stores, content)
    yield* refer(stores, b)
    assert.deepStrictEqual(yield* collect, { count: 0, bytes: 0 })
    yield* TestClock.adjust("23 hours")
    assert.deepStrictEqual(yield* collect, { count: 0, bytes: 0 })
    yield* TestClock.adjust("2 hours")
    const logging = Effect.provide(Logger.layer([Logger.make(({ message }) => log.push(String(message)))]))
    assert.deepStrictEqual(yield* logging(collect), { count: 2, bytes: 20 })
    assert.deepStrictEqual(log, ["Removed 2 artifacts that nothing referred to, 20 bytes"])
    assert.deepStrictEqual(yield* stored(stores, all), [b])
    assert.deepStrictEqual(yield* collect, { count: 0, bytes: 0 })
  }),
)

it.effect("counts from when the last reference went, and anew when there was one in between", () =>
  Effect.gen(function* () {
    const stores = yield* makeStores
    const { collect } = yield* startCollector(stores)
    yield* commit(stores, a)
    yield* refer(stores, a)
    yield* TestClock.adjust("48 hours")
    yield* stores.registry.deleteVersion(model, VersionNumber.make(1))
    yield* collect
    yield* TestClock.adjust("23 hours")
    // Uploaded again, and deleted again, between two passes: only its age tells.
    yield* commit(stores, a)
    yield* TestClock.adjust("2 hours")
    assert.deepStrictEqual(yield* collect, { count: 0, bytes: 0 })
    yield* refer(stores, a)
    yield* collect
    yield* TestClock.adjust("30 hours")
    yield* stores.registry.deleteModel(model)
    yield* TestClock.adjust("23 hours")
    yield* collect
    assert.deepStrictEqual(yield* stored(stores, all), [a])
    yield* TestClock.adjust("2 hours")
    yield* collect
    assert.deepStrictEqual(yield* stored(stores, all), [])
  }),
)

it.effect(
  "counts on after a restart, for artifacts without a version from the start and for those that lost it",
  () =>
    Effect.gen(function* () {
      const stores = yield* makeStores
      /** A server that was started just now. */
      const pass = Effect.flatMap(startCollector(stores), ({ collect }) => collect).pipe(Effect.scoped)
      for (const content of all) yield* commit(stores, content)
      yield* refer(stores, a)
      yield* refer(stores, b)
      yield* TestClock.adjust("25 hours")
      assert.deepStrictEqual(yield* pass, { count: 1, bytes: 10 })
      assert.deepStrictEqual(yield* stored(stores, all), [a, b])
      yield* stores.registry.deleteVersion(model, VersionNumber.make(1))
      for (let hour = 0; hour < 23; hour++) {
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(yield* pass, { count: 0, bytes: 0 })
      }
      yield* TestClock.adjust("2 hours")
      assert.deepStrictEqual(yield* pass, { count: 1, bytes: 10 })
      assert.deepStrictEqual(yield* stored(stores, all), [b])
    }),
)

it.effect("does so by itself every hour, also after a pass that failed", () =>
  Effect.gen(function* () {
    const stores = yield* makeStores
    let passes = 0
    const list = Stream.suspend(() => {
      passes++
      return passes === 1 ? Stream.fail(failing) : Stream.empty
    })
    yield* startCollector({ ...stores, artifacts: { ...stores.artifacts, list } }, Collector.layer)
    const after: Array<number> = []
    for (const pause of ["59 seconds", "1 second", "59 minutes", "1 minute", "1 hour"] as const) {
      yield* TestClock.adjust(pause)
      after.push(passes)
    }
    assert.deepStrictEqual(after, [0, 1, 1, 2, 3])
  }),
)

it.effect("goes on with the others when one can't be removed, and later when nothing works", () =>
  Effect.gen(function* () {
    const stores = yield* makeStores
    const log: Array<string> = []
    let isDown = false
    const { collect } = yield* startCollector({
      artifacts: {
        ...stores.artifacts,
        remove: (digest, removal) =>
          digest === digestOf(a) ? Effect.fail(failing) : stores.artifacts.remove(digest, removal),
      },
      registry: {
        ...stores.registry,
        findReferred: (digests, since) =>
          isDown ? Effect.fail(storeDown) : stores.registry.findReferred(digests, since),
      },
    })
    for (const content of all) yield* commit(stores, content)
    yield* collect
    yield* TestClock.adjust("25 hours")
    isDown = true
    assert.strictEqual(yield* Effect.flip(collect), storeDown)
    assert.deepStrictEqual(yield* stored(stores, all), all)
    isDown = false
    const logging = Effect.provide(Logger.layer([Logger.make(({ message }) => log.push(String(message)))]))
    assert.deepStrictEqual(yield* logging(collect), { count: 2, bytes: 20 })
    assert.include(log.join("\n"), `Artifact ${digestOf(a)} could not be removed`)
    assert.deepStrictEqual(yield* stored(stores, all), [a])
  }),
)
