/** Moving aliases: where requests go is decided here, guarded, remembered and undone. */
import { Array, Context, Effect, Layer, Option } from "effect"
import { type Alias, type AliasMove, aliasAfter } from "../model/Alias.ts"
import type { AliasName, ModelName } from "../model/Names.ts"
import type { Version, VersionNumber } from "../model/Version.ts"
import type { Expectation } from "./Expectation.ts"
import { incompatibleMove } from "./incompatibleMove.ts"
import { previousMove } from "./previousMove.ts"
import { AliasNotFound, ModelNotFound, NothingToRestore, RegistryError } from "./RegistryError.ts"
import { maxMoves, RegistryStore, type Window } from "./RegistryStore.ts"
import { RoutingTable } from "./RoutingTable.ts"

export interface MoveRequest {
  readonly version: VersionNumber
  /** For the history. */
  readonly reason?: string | undefined
  /** Moves the alias even if callers may fail with the other signature. Default: false. */
  readonly force?: boolean | undefined
  /** Removes the traffic policy with a move of `production`, in one step. Default: false, the move is refused. */
  readonly clearTraffic?: boolean | undefined
  /** The alias is moved only if it is this one, or made only if there is none. Default: whatever it is. */
  readonly expected?: Expectation | undefined
}

const refuse = (reason: RegistryError["reason"]) => Effect.fail(new RegistryError({ reason }))

/** Somebody else's change came between the look and the move; a few more looks settle it. */
const attempts = 5

export class Aliases extends Context.Service<
  Aliases,
  {
    /** Fails with `ModelNotFound` or `AliasNotFound`. */
    readonly get: (model: ModelName, alias: AliasName) => Effect.Effect<Alias, RegistryError>
    /**
     * Makes the alias, or moves it, for every request from then on. Fails with `ModelNotFound`, `VersionNotFound`,
     * `VersionConflict` when the version is not ready, `IncompatibleSignature` unless forced, `RevisionMismatch` when the
     * alias is not the expected one, or `TrafficConflict` for `production` while a traffic policy is in force.
     */
    readonly move: (
      model: ModelName,
      alias: AliasName,
      request: MoveRequest,
    ) => Effect.Effect<Alias, RegistryError>
    /**
     * Moves the alias to where it pointed before, past versions that are gone or not ready. Another one goes further
     * back: what was rolled back from does not come again. Signatures are not compared, since callers knew that
     * version. Fails with `ModelNotFound`, `AliasNotFound`, `NothingToRestore`, `TrafficConflict` as `move` does, or
     * `AliasMoved` when others move it all the time.
     */
    readonly rollback: (
      model: ModelName,
      alias: AliasName,
      reason?: string,
    ) => Effect.Effect<Alias, RegistryError>
    /**
     * Fails with `ModelNotFound`, `AliasNotFound`, `RevisionMismatch`, or `TrafficConflict` while the traffic policy names
     * it.
     */
    readonly remove: (
      model: ModelName,
      alias: AliasName,
      expected?: Expectation,
    ) => Effect.Effect<void, RegistryError>
    /**
     * Newest first, of deleted aliases too; `after` is the number of a move. Fails with `ModelNotFound`, or
     * `AliasNotFound` when there never was one.
     */
    readonly history: (
      model: ModelName,
      alias: AliasName,
      window: Window<number>,
    ) => Effect.Effect<ReadonlyArray<AliasMove>, RegistryError>
  }
>()("@modelforge/core/registry/Aliases") {
  static readonly make = Effect.gen(function* () {
    const store = yield* RegistryStore
    const { thenRefresh } = yield* RoutingTable

    const newestMove = (model: ModelName, alias: AliasName) =>
      Effect.map(store.listMoves(model, alias, { limit: 1 }), Array.head)

    const move = Effect.fn("Aliases.move")(function* (
      model: ModelName,
      alias: AliasName,
      { force = false, version, ...options }: MoveRequest,
    ) {
      const guard = force ? undefined : (from: Version, to: Version) => incompatibleMove(alias, from, to)
      const moved = yield* thenRefresh(model, store.setAlias(model, alias, version, { ...options, guard }))
      return yield* pointing(moved)
    })

    const rollback = Effect.fn("Aliases.rollback")(
      function* (model: ModelName, alias: AliasName, reason?: string) {
        const routes = yield* store.findRoutes(model)
        if (Option.isNone(routes)) return yield* refuse(new ModelNotFound({ model }))
        const moves = yield* store.listMoves(model, alias, { limit: maxMoves })
        const newest = moves[0]
        if (newest === undefined || newest.version === null)
          return yield* refuse(new AliasNotFound({ model, alias }))
        const ready = routes.value.versions.filter(({ state }) => state === "ready")
        const target = previousMove(moves, new Set(ready.map(({ version }) => version)))
        if (target === undefined) return yield* refuse(new NothingToRestore({ model, alias }))
        const { version, restores } = target
        const options = { reason, after: newest.move, restores }
        const moved = yield* thenRefresh(model, store.setAlias(model, alias, version, options))
        return yield* pointing(moved)
      },
      Effect.retry({
        times: attempts - 1,
        // The target may have been archived or deleted since.
        while: ({ reason }) => ["AliasMoved", "VersionConflict", "VersionNotFound"].includes(reason._tag),
      }),
    )

    const missing = Effect.fnUntraced(function* (model: ModelName, alias: AliasName) {
      const known = Option.isSome(yield* store.findModel(model))
      return yield* refuse(known ? new AliasNotFound({ model, alias }) : new ModelNotFound({ model }))
    })

    return Aliases.of({
      get: Effect.fn("Aliases.get")(function* (model, alias) {
        const newest = yield* newestMove(model, alias)
        return aliasAfter(Option.getOrUndefined(newest)) ?? (yield* missing(model, alias))
      }),
      move,
      rollback,
      remove: Effect.fn("Aliases.remove")(function* (model, alias, expected) {
        if (yield* thenRefresh(model, store.deleteAlias(model, alias, expected))) return
        return yield* missing(model, alias)
      }),
      history: Effect.fn("Aliases.history")(function* (model, alias, window) {
        const moves = yield* store.listMoves(model, alias, window)
        if (moves.length > 0) return moves
        if (Option.isNone(yield* store.findModel(model))) return yield* refuse(new ModelNotFound({ model }))
        if (Option.isNone(yield* newestMove(model, alias)))
          return yield* refuse(new AliasNotFound({ model, alias }))
        return moves
      }),
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}

/** What an alias is after a move, which pointed it at a version. */
const pointing = (move: AliasMove): Effect.Effect<Alias> =>
  Effect.orDie(Effect.fromNullishOr(aliasAfter(move)))
