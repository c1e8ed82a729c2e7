import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import { AliasName, ModelName } from "../../src/model/Names.ts"
import { VersionNumber } from "../../src/model/Version.ts"
import { Aliases } from "../../src/registry/Aliases.ts"
import { Registry } from "../../src/registry/Registry.ts"
import { RegistryStore } from "../../src/registry/RegistryStore.ts"
import { RoutingTable } from "../../src/registry/RoutingTable.ts"
import { digestOf, graph, World } from "../fakes.ts"
import { model, production, push, refused } from "./uploading.ts"

const missing = ModelName.make("missing")
const canary = AliasName.make("canary")
const [one, two] = [VersionNumber.make(1), VersionNumber.make(2)]

/** The registry on a world of its own, with two versions of `digits`. */
const withVersions = <A, E, R>(
  use: (registry: Registry["Service"], world: World) => Effect.Effect<A, E, R>,
) =>
  Effect.gen(function* () {
    const world = yield* World.make()
    return yield* world.open(
      Effect.gen(function* () {
        yield* push("model one")
        yield* push("model two")
        return yield* use(yield* Registry, world)
      }),
    )
  })

const setAlias = (of: ModelName, alias: AliasName, version: VersionNumber) =>
  Aliases.use((aliases) => aliases.move(of, alias, { version }))

const removeAlias = Aliases.use((aliases) => aliases.remove(model, production))

/** Which version a request goes to. */
const routed = (version?: string) =>
  RoutingTable.use((routing) =>
    Effect.succeed(
      Result.match(routing.resolve(model, version), {
        onFailure: ({ reason }) => reason._tag,
        onSuccess: (route) => Number(route.version),
      }),
    ),
  )

it.effect("makes, changes, lists and deletes models", () =>
  withVersions((registry) =>
    Effect.gen(function* () {
      const made = yield* registry.createModel({ name: missing, description: "new", tags: ["a"] })
      assert.deepInclude(
        { ...made },
        { name: missing, description: "new", state: "empty", latestVersion: null },
      )
      assert.strictEqual((yield* refused(registry.createModel({ name: missing })))._tag, "ModelExists")
      assert.deepStrictEqual(
        (yield* registry.models({ state: "ready" }, { limit: 10 })).map(({ name }) => name),
        [model],
      )
      assert.deepStrictEqual(
        (yield* registry.models({}, { limit: 10, after: model })).map(({ name }) => name),
        [missing],
      )
      const changed = yield* registry.updateModel(missing, { description: "changed" })
      assert.deepInclude({ ...changed }, { description: "changed", tags: ["a"] })
      yield* registry.deleteModel(missing)
      assert.strictEqual((yield* refused(registry.deleteModel(missing)))._tag, "ModelNotFound")
    }),
  ),
)

it.effect("a model is routed to from when it is made until it is deleted", () =>
  withVersions((registry) =>
    Effect.gen(function* () {
      const routing = yield* RoutingTable
      yield* registry.createModel({ name: missing })
      assert.deepStrictEqual(routing.models(), [model, missing])
      yield* registry.deleteModel(model)
      assert.deepStrictEqual(routing.models(), [missing])
      assert.strictEqual(yield* routed(), "ModelNotFound")
    }),
  ),
)

it.effect("finds versions by number and by alias, and takes nothing else for one", () =>
  withVersions((registry) =>
    Effect.gen(function* () {
      yield* setAlias(model, canary, one)
      assert.strictEqual((yield* registry.version(model, "2")).version, two)
      assert.strictEqual((yield* registry.version(model, "canary")).version, one)
      for (const version of ["3", "0", "-1", "01", "1.0", "2147483648", "99999999999", "", "toString"])
        assert.deepInclude(yield* refused(registry.version(model, version)), {
          _tag: "VersionNotFound",
          message: `Model "digits" has no version "${version}"`,
        })
    }),
  ),
)

it.effect("lists versions, newest first, and describes them", () =>
  withVersions((registry) =>
    Effect.gen(function* () {
      const numbers = (after?: VersionNumber) =>
        Effect.map(registry.versions(model, { limit: 10, after }), (versions) =>
          versions.map(({ version }) => Number(version)),
        )
      assert.deepStrictEqual(yield* numbers(), [2, 1])
      assert.deepStrictEqual(yield* numbers(two), [1])
      yield* setAlias(model, canary, one)
      assert.strictEqual((yield* registry.describeVersion(model, "canary", "old")).version, one)
      assert.strictEqual((yield* registry.version(model, "1")).description, "old")
    }),
  ),
)

it.effect("every operation on a model that does not exist says so", () =>
  withVersions((registry) =>
    Effect.gen(function* () {
      for (const operation of [
        registry.model(missing),
        registry.updateModel(missing, {}),
        registry.deleteModel(missing),
        registry.version(missing, "1"),
        registry.versions(missing, { limit: 1 }),
        registry.describeVersion(missing, "1", ""),
        registry.deleteVersion(missing, "1"),
        registry.artifact(missing, "1"),
      ])
        assert.strictEqual(
          (yield* Effect.flip<unknown, { readonly message: string }, never>(operation)).message,
          'There is no model "missing"',
        )
    }),
  ),
)

it.effect("an alias routes to its version as soon as it is set, moved or deleted", () =>
  withVersions(() =>
    Effect.gen(function* () {
      assert.strictEqual(yield* routed(), 2)
      yield* setAlias(model, production, one)
      assert.strictEqual(yield* routed(), 1)
      yield* setAlias(model, production, two)
      assert.strictEqual(yield* routed("production"), 2)
      yield* removeAlias
      assert.strictEqual(yield* routed("production"), "VersionNotFound")
      assert.strictEqual(
        (yield* refused(setAlias(model, production, VersionNumber.make(3))))._tag,
        "VersionNotFound",
      )
    }),
  ),
)

it.effect("a version in use is not deleted; one that is deleted is not routed to", () =>
  withVersions((registry) =>
    Effect.gen(function* () {
      yield* setAlias(model, production, two)
      for (const version of ["2", "production"])
        assert.strictEqual(
          (yield* refused(registry.deleteVersion(model, version))).message,
          'Version 2 of model "digits" is in use: move or delete its aliases first ("production")',
        )
      yield* registry.deleteVersion(model, "1")
      assert.strictEqual(yield* routed("1"), "VersionNotFound")
      assert.strictEqual((yield* refused(registry.deleteVersion(model, "1")))._tag, "VersionNotFound")
    }),
  ),
)

it.effect("gives the file of a version", () =>
  withVersions((registry) =>
    Effect.gen(function* () {
      const { digest, size, bytes } = yield* registry.artifact(model, "1")
      assert.deepStrictEqual([digest, size], [digestOf("model one"), 9])
      const chunks = yield* Stream.runCollect(bytes)
      assert.strictEqual(Buffer.concat(chunks).toString(), "model one")
    }),
  ),
)

it.effect("a file that is lost is trouble of the storage, not of the one who asks", () =>
  withVersions((registry, world) =>
    Effect.gen(function* () {
      const lost = yield* world.store.insertVersion({
        ...(yield* registry.version(model, "1")),
        digest: digestOf("lost"),
        graph: "{}",
        state: "ready",
        createModel: false,
        alias: null,
        force: false,
      })
      const { bytes } = yield* registry.artifact(model, String(lost.version))
      const reason = yield* refused(Stream.runDrain(bytes))
      assert.strictEqual(reason._tag, "StoreUnavailable")
      assert.strictEqual(reason.message, 'The registry\'s storage failed in "read the artifact"')
    }),
  ),
)

it.effect("a change is a change even if its route can't be read at once", () =>
  withVersions((registry, world) =>
    Effect.gen(function* () {
      world.outage.fail("findRoutes")
      yield* setAlias(model, production, one)
      yield* registry.createModel({ name: missing })
      assert.strictEqual(yield* routed(), 2)
      world.outage.end()
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* routed(), 1)
    }),
  ),
)

it.effect("a request that is interrupted after its change leaves the routes right", () =>
  withVersions((_registry, world) =>
    Effect.gen(function* () {
      const [reading, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      world.outage.hold(
        "findRoutes",
        Effect.andThen(Deferred.succeed(reading, undefined), Deferred.await(gate)),
      )
      const request = yield* Effect.forkChild(setAlias(model, production, one))
      yield* Deferred.await(reading)
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(request))
      yield* Effect.yieldNow
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(interrupting)
      assert.strictEqual(yield* routed(), 1)
    }),
  ),
)

it.effect("concurrent changes of one model end with routes that say what the store says", () =>
  withVersions((registry) =>
    Effect.gen(function* () {
      yield* Effect.forEach(
        Array.from({ length: 40 }, (_, i) => i),
        (i) =>
          i % 4 === 3 ? Effect.ignore(removeAlias) : setAlias(model, production, i % 2 === 0 ? one : two),
        { concurrency: "unbounded", discard: true },
      )
      const { aliases } = yield* registry.model(model)
      const target = Object.values(aliases)[0]
      assert.strictEqual(
        yield* routed("production"),
        target === undefined ? "VersionNotFound" : Number(target),
      )
    }),
  ),
)

it.effect("starts with what is in the store", () =>
  Effect.gen(function* () {
    const world = yield* World.make()
    yield* world.open(push("model", { alias: production }))
    assert.strictEqual(yield* world.open(routed("production")), 1)
  }),
)

describe("the graph of a version", () => {
  it.effect("is what the scanner drew, by number or alias, with the digest of the file", () =>
    withVersions((registry) =>
      Effect.gen(function* () {
        yield* setAlias(model, canary, two)
        for (const ref of ["2", "canary"]) {
          const { digest, json } = yield* registry.graph(model, ref)
          assert.strictEqual(digest, digestOf("model two"))
          assert.deepStrictEqual(JSON.parse(yield* json), graph)
        }
        assert.strictEqual((yield* refused(registry.graph(model, "3")))._tag, "VersionNotFound")
        assert.strictEqual((yield* refused(registry.graph(missing, "1")))._tag, "ModelNotFound")
      }),
    ),
  )

  it.effect("is missing where an older release stored the version, and the refusal says what to do", () =>
    withVersions((_, { directory, store, stored }) =>
      new World(
        directory,
        Context.add(stored, RegistryStore, { ...store, findGraph: () => Effect.succeedNone }),
        {},
      ).open(
        Effect.gen(function* () {
          const { json } = yield* Registry.use((registry) => registry.graph(model, "1"))
          const reason = yield* refused(json)
          assert.deepInclude(reason, { _tag: "GraphNotFound", model, version: 1 })
          assert.match(reason.message, /upload its file again/)
        }),
      ),
    ),
  )
})
