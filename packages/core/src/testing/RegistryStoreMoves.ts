/** What the contract of `RegistryStore` promises of the history of aliases, and of archived versions. */
import { assert, type Vitest } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Actor } from "../events/Actor.ts"
import type { ModelName } from "../model/Names.ts"
import { ModelExists } from "../registry/RegistryError.ts"
import { maxMoves, RegistryStore } from "../registry/RegistryStore.ts"
import {
  canary,
  draftOf,
  failsWith,
  failure,
  found,
  freshName,
  oddText,
  outcome,
  pointers,
  production,
  v,
  withVersions,
} from "./RegistryStoreFixtures.ts"

/** The history of `production` as `from>to`, newest first. */
const history = (model: ModelName, limit = 100, after?: number) =>
  RegistryStore.use((store) =>
    Effect.map(store.listMoves(model, production, { limit, after }), (moves) =>
      moves.map(({ from, version }) => `${from}>${version}`),
    ),
  )

export const moveTests = (it: Vitest.MethodsNonLive<RegistryStore>) => {
  it.effect("every move of an alias is remembered, with who, when and why", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("moves", 3)
      const first = yield* store.setAlias(model, production, v(1))
      const second = yield* store
        .setAlias(model, production, v(2), { reason: `${oddText}\0`, restores: 1 })
        .pipe(Effect.provideService(Actor, "ada"))
      assert.deepInclude(
        { ...first },
        {
          alias: production,
          move: 1,
          from: null,
          version: v(1),
          updatedBy: null,
          reason: null,
          restores: null,
        },
      )
      assert.deepInclude({ ...second }, { move: 2, from: v(1), version: v(2), updatedBy: "ada", restores: 1 })
      assert.isTrue(second.reason?.startsWith(oddText))
      // Not a move: it points there already.
      assert.deepStrictEqual(yield* store.setAlias(model, production, v(2), { reason: "again" }), second)
      yield* store.setAlias(model, canary, v(1))
      yield* store.insertVersion(draftOf(model, { alias: production, createdBy: "eve" }))
      yield* store.deleteAlias(model, production).pipe(Effect.provideService(Actor, "ada"))
      yield* store.setAlias(model, production, v(3))
      const moves = yield* store.listMoves(model, production, { limit: 100 })
      assert.deepStrictEqual(
        moves.map(({ move, updatedBy }): unknown => [move, updatedBy]),
        [
          [5, null],
          [4, "ada"],
          [3, "eve"],
          [2, "ada"],
          [1, null],
        ],
      )
      assert.deepStrictEqual(moves.slice(-2), [second, first])
      assert.deepStrictEqual(yield* history(model), ["null>3", "4>null", "2>4", "1>2", "null>1"])
      assert.deepStrictEqual(yield* history(model, 2), ["null>3", "4>null"])
      assert.deepStrictEqual(yield* history(model, 2, 4), ["2>4", "1>2"])
      assert.deepStrictEqual(yield* history(model, 2, 1), [])
      // The number of a version that is gone stays in the history.
      yield* store.deleteVersion(model, v(2))
      assert.deepStrictEqual(yield* history(model, 1, 3), ["1>2"])
      yield* store.deleteModel(model)
      assert.deepStrictEqual(yield* history(model), [])
      assert.deepStrictEqual(yield* history(freshName("unknown")), [])
    }),
  )

  it.effect("the moves kept of one alias are bounded", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("bounded", 2)
      for (let move = 1; move <= maxMoves + 2; move++)
        yield* store.setAlias(model, production, v(1 + (move % 2)))
      const moves = yield* store.listMoves(model, production, { limit: 2 * maxMoves })
      assert.deepStrictEqual([moves.length, moves[0]?.move, moves.at(-1)?.move], [maxMoves, maxMoves + 2, 3])
    }),
  )

  it.effect("a move that depends on the one before is refused after any other", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("after", 3)
      yield* failsWith("AliasMoved", store.setAlias(model, production, v(1), { after: 1 }))
      yield* store.setAlias(model, production, v(1), { after: 0 })
      const refused = yield* failure(store.setAlias(model, production, v(2), { after: 0 }))
      assert.deepInclude(refused, { _tag: "AliasMoved", model, alias: production })
      yield* store.setAlias(model, production, v(2), { after: 1 })
      yield* store.deleteAlias(model, production)
      yield* failsWith("AliasMoved", store.setAlias(model, production, v(3), { after: 2 }))
      assert.deepStrictEqual(pointers(yield* found(store.findRoutes(model))), {})
      // Of many that saw the same, one moves it.
      const outcomes = yield* Effect.forEach(
        [1, 2, 3, 1, 2, 3],
        (version) => outcome(store.setAlias(model, production, v(version), { after: 3 })),
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(outcomes.sort(), [...Array(5).fill("AliasMoved"), "done"])
      assert.strictEqual((yield* history(model)).length, 4)
    }),
  )

  it.effect("a guard sees what the alias leaves and where it goes, and can refuse", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("guard", 2)
      const asked: Array<string> = []
      const move = (version: number, refuse: boolean) =>
        store.setAlias(model, production, v(version), {
          guard: (from, to) => {
            asked.push(`${from.version}>${to.version}`)
            return refuse ? new ModelExists({ model }) : undefined
          },
        })
      yield* move(1, true)
      yield* move(1, true)
      yield* failsWith("ModelExists", move(2, true))
      assert.deepStrictEqual(yield* history(model), ["null>1"])
      yield* move(2, false)
      yield* failsWith("VersionNotFound", move(9, true))
      assert.deepStrictEqual(asked, ["1>2", "1>2"])
      assert.deepStrictEqual(yield* history(model), ["1>2", "null>1"])
    }),
  )

  it.effect("concurrent moves form a chain: each begins where the one before ended", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("chain", 5)
      yield* Effect.forEach(
        Array.from({ length: 30 }, (_, index) => index),
        (index) =>
          index % 6 === 5
            ? Effect.asVoid(store.deleteAlias(model, production))
            : Effect.asVoid(store.setAlias(model, production, v(1 + (index % 5)))),
        { concurrency: "unbounded" },
      )
      const moves = (yield* store.listMoves(model, production, { limit: 100 })).toReversed()
      let at: number | null = null
      for (const [index, move] of moves.entries()) {
        assert.deepStrictEqual<unknown>([move.move, move.from], [index + 1, at])
        assert.notStrictEqual(move.version, at)
        at = move.version
      }
      assert.deepStrictEqual(
        pointers(yield* found(store.findRoutes(model))),
        at === null ? {} : { production: at },
      )
    }),
  )

  it.effect("a version is archived and restored, unless an alias points at it or it never was ready", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("archive", 2)
      const state = (version: number) =>
        Effect.map(found(store.findRoutes(model)), ({ versions }) =>
          versions.flatMap((other) => (other.version === version ? [other.state] : [])),
        )
      yield* store.setAlias(model, production, v(1))
      const refused = yield* failure(store.setArchived(model, v(1), true))
      assert.deepInclude(refused, { _tag: "VersionConflict", model, version: 1 })
      assert.match(refused.message, /\("production"\)/)
      const before = yield* found(store.findVersion(model, v(2)))
      const archived = yield* store.setArchived(model, v(2), true)
      assert.deepStrictEqual({ ...archived }, { ...before, state: "archived" })
      assert.deepStrictEqual(yield* store.findVersion(model, v(2)), Option.some(archived))
      assert.deepStrictEqual(yield* state(2), ["archived"])
      assert.strictEqual((yield* store.setArchived(model, v(2), true)).state, "archived")
      const conflict = yield* failure(store.setAlias(model, production, v(2)))
      assert.match(conflict.message, /version 2 .* is archived/)
      yield* store.settleVersion(model, v(2), { state: "ready" })
      assert.deepStrictEqual(yield* state(2), ["archived"])
      assert.deepStrictEqual({ ...(yield* store.setArchived(model, v(2), false)) }, { ...before })
      assert.strictEqual((yield* store.setArchived(model, v(1), false)).state, "ready")
      yield* store.insertVersion(draftOf(model, { state: "validating" }))
      for (const archive of [true, false])
        yield* failsWith("VersionConflict", store.setArchived(model, v(3), archive))
      yield* store.settleVersion(model, v(3), { state: "invalid", reason: "no" })
      for (const archive of [true, false]) {
        yield* failsWith("VersionConflict", store.setArchived(model, v(3), archive))
        yield* failsWith("VersionNotFound", store.setArchived(model, v(9), archive))
        yield* failsWith("VersionNotFound", store.setArchived(freshName("unknown"), v(1), archive))
      }
      const listed = (wanted: "ready" | "archived" | "invalid") =>
        Effect.map(store.listVersions(model, { limit: 1, state: wanted }), (versions) =>
          versions.map(({ version }) => Number(version)),
        )
      yield* store.setArchived(model, v(2), true)
      assert.deepStrictEqual(
        [yield* listed("ready"), yield* listed("archived"), yield* listed("invalid")],
        [[1], [2], [3]],
      )
      // Nothing that can be served is left.
      yield* store.deleteAlias(model, production)
      yield* store.setArchived(model, v(1), true)
      assert.strictEqual((yield* found(store.findModel(model))).state, "empty")
      yield* store.deleteVersion(model, v(2))
    }),
  )

  it.effect("concurrent moves and archivings never leave an alias at an archived version", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("archiving", 8)
      const numbers = Array.from({ length: 8 }, (_, index) => v(index + 1))
      yield* Effect.all(
        numbers.flatMap((version) => [
          outcome(store.setAlias(model, production, version)),
          outcome(store.setArchived(model, version, true)),
        ]),
        { concurrency: "unbounded" },
      )
      const { aliases, versions } = yield* found(store.findRoutes(model))
      for (const target of Object.values(aliases))
        assert.deepInclude(
          versions.find(({ version }) => version === target),
          { state: "ready" },
        )
    }),
  )
}
