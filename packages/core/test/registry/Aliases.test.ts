import { assert, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { Actor } from "../../src/events/Actor.ts"
import { AliasName, ModelName } from "../../src/model/Names.ts"
import { VersionNumber } from "../../src/model/Version.ts"
import { Aliases } from "../../src/registry/Aliases.ts"
import { Registry } from "../../src/registry/Registry.ts"
import { RoutingTable } from "../../src/registry/RoutingTable.ts"
import { World } from "../fakes.ts"
import { model, production, push, refused, routed } from "./uploading.ts"

const v = (version: number) => VersionNumber.make(version)
const missing = ModelName.make("missing")

/** Aliases of `digits`, which has three versions. */
const withVersions = <A, E, R>(use: (aliases: Aliases["Service"], world: World) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const world = yield* World.make()
    return yield* world.open(
      Effect.gen(function* () {
        for (const name of ["one", "two", "three"]) yield* push(name)
        return yield* use(yield* Aliases, world)
      }),
    )
  })

it.effect("moves, rolls back and removes, in somebody's name, and routes at once", () =>
  withVersions((aliases) =>
    Effect.gen(function* () {
      const made = yield* aliases.move(model, production, { version: v(1), reason: "first" })
      assert.deepInclude({ ...made }, { alias: production, version: v(1), updatedBy: "ada" })
      yield* aliases.move(model, production, { version: v(3) })
      assert.strictEqual(yield* routed("production"), 3)
      assert.deepInclude(yield* aliases.rollback(model, production, "worse"), {
        version: v(1),
        updatedBy: "ada",
      })
      assert.strictEqual(yield* routed("production"), 1)
      yield* aliases.remove(model, production)
      assert.isUndefined(yield* routed("production"))
      assert.deepStrictEqual(
        (yield* aliases.history(model, production, { limit: 10 })).map(
          ({ version, reason, updatedBy }): unknown => [version, reason, updatedBy],
        ),
        [
          [null, null, "ada"],
          [1, "worse", "ada"],
          [3, null, "ada"],
          [1, "first", "ada"],
        ],
      )
    }).pipe(Effect.provideService(Actor, "ada")),
  ),
)

it.effect("says what is not there", () =>
  withVersions((aliases) =>
    Effect.gen(function* () {
      const nothing = (of: ModelName) => [
        aliases.rollback(of, production),
        aliases.remove(of, production),
        aliases.history(of, production, { limit: 1 }),
      ]
      for (const operation of [...nothing(missing), aliases.move(missing, production, { version: v(1) })])
        assert.strictEqual(
          (yield* Effect.flip<unknown, { readonly message: string }, never>(operation)).message,
          'There is no model "missing"',
        )
      for (const operation of nothing(model))
        assert.strictEqual(
          (yield* Effect.flip<unknown, { readonly message: string }, never>(operation)).message,
          'Model "digits" has no alias "production"',
        )
      assert.strictEqual(
        (yield* refused(aliases.move(model, production, { version: v(9) })))._tag,
        "VersionNotFound",
      )
      yield* aliases.move(model, production, { version: v(1) })
      assert.deepStrictEqual(yield* aliases.history(model, production, { limit: 1, after: 1 }), [])
      assert.strictEqual((yield* refused(aliases.rollback(model, production)))._tag, "NothingToRestore")
    }),
  ),
)

it.effect("concurrent rollbacks each go one step, or say that others were faster", () =>
  withVersions((aliases) =>
    Effect.gen(function* () {
      for (const version of [1, 2, 3]) yield* aliases.move(model, production, { version: v(version) })
      const ends = yield* Effect.forEach(
        [1, 2, 3],
        () =>
          Effect.match(aliases.rollback(model, production), {
            onSuccess: ({ version }) => String(version),
            onFailure: ({ reason }) => reason._tag,
          }),
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(ends.sort(), ["1", "2", "NothingToRestore"])
    }),
  ),
)

it.effect("while aliases move and versions are archived, every request finds a version that is ready", () =>
  withVersions((aliases) =>
    Effect.gen(function* () {
      const registry = yield* Registry
      const routing = yield* RoutingTable
      yield* aliases.move(model, production, { version: v(1) })
      // Whatever the table is after a change, requests are answered from it.
      const answered: Array<unknown> = []
      yield* routing.onChange(() => {
        const { version } = Result.getOrThrow(routing.resolve(model))
        assert.isTrue(routing.readyVersions(model)?.some((ready) => ready.version === version))
        answered.push(Result.getOrThrow(routing.resolve(model, "production")).version)
      })
      const change = (index: number): Effect.Effect<unknown> => {
        const version = v(1 + (index % 3))
        if (index % 5 === 4) return Effect.exit(aliases.rollback(model, production))
        if (index % 4 === 3) return Effect.exit(registry.archiveVersion(model, String(version)))
        if (index % 4 === 2) return Effect.exit(registry.restoreVersion(model, String(version)))
        return Effect.exit(aliases.move(model, production, { version }))
      }
      yield* Effect.forEach(
        Array.from({ length: 200 }, (_, index) => index),
        change,
        { concurrency: 8 },
      )
      assert.isAbove(answered.length, 100)
      assert.sameMembers([...new Set(answered)], [1, 2, 3])
    }),
  ),
)

it.effect("an upload in somebody's name moves its alias in that name", () =>
  withVersions((aliases) =>
    Effect.gen(function* () {
      const canary = AliasName.make("canary")
      const version = yield* push("four", { alias: canary }).pipe(Effect.provideService(Actor, "ada"))
      assert.strictEqual(version.createdBy, "ada")
      const [move] = yield* aliases.history(model, canary, { limit: 1 })
      assert.deepInclude({ ...move }, { version: v(4), updatedBy: "ada" })
    }),
  ),
)
