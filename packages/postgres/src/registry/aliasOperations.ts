/** What the registry does with aliases. */
import {
  Actor,
  AliasMoved,
  type AliasName,
  type AliasOperations,
  aliasAfter,
  expecting,
  type ModelName,
  type MoveOptions,
  VersionConflict,
  type VersionNumber,
} from "@modelforge/core"
import { Array, Effect, Option } from "effect"
import { read, write } from "../registryOperation.ts"
import { noModel, type PostgresRegistry, refuse } from "./PostgresRegistry.ts"
import { changeTraffic, heldByTraffic } from "./trafficOperations.ts"

/** Points an alias at a version, or deletes it. */
interface Move extends MoveOptions {
  readonly model: ModelName
  readonly alias: AliasName
  readonly version: VersionNumber | null
  readonly by: string | null
}

/** With the model locked. Changes nothing when the alias points there already. */
export const moveAlias = Effect.fnUntraced(function* (
  registry: PostgresRegistry,
  { model, alias, version, by, after, guard, clearTraffic, expected, ...memo }: Move,
) {
  const { aliases } = registry
  const newest = Array.head(yield* aliases.listMoves(model, alias, 1, undefined))
  const last = Option.match(newest, { onNone: () => 0, onSome: ({ move }) => move })
  if (after !== undefined && after !== last) return yield* refuse(new AliasMoved({ model, alias }))
  const present = aliasAfter(Option.getOrUndefined(newest))
  yield* expecting(expected, `alias "${alias}" of model "${model}"`, present)
  const from = Option.getOrNull(yield* aliases.findAlias(model, alias))
  if (Option.isSome(newest) && from === version) return newest.value
  if (guard !== undefined && from !== null && version !== null) {
    const why = guard(yield* registry.findVersion(model, from), yield* registry.findVersion(model, version))
    if (why !== undefined) return yield* refuse(why)
  }
  const held = yield* heldByTraffic(registry, model, alias, version)
  if (held !== undefined) {
    if (version === null || clearTraffic !== true) return yield* refuse(held)
    yield* changeTraffic(registry, yield* registry.findModel(model), null, memo.reason)
  }
  if (version === null) yield* aliases.deleteAlias(model, alias)
  else yield* aliases.pointAlias(model, alias, version)
  const moved = yield* aliases.insertMove({ model, alias, move: last + 1, from, version, by, ...memo })
  yield* aliases.forgetMoves(model, alias, last + 1)
  yield* registry.record(model, by, { type: "alias.moved", alias, from, to: version }, memo)
  return moved
})

export const makeAliasOperations = (registry: PostgresRegistry): AliasOperations => {
  const { statements, aliases, transaction } = registry
  return {
    setAlias: Effect.fnUntraced(
      function* (model, alias, version, options = {}) {
        if (!(yield* statements.lockModel(model))) return yield* refuse(noModel(model)())
        const state = yield* registry.stateOf(model, version)
        if (state !== "ready") {
          return yield* refuse(VersionConflict.notReady(model, version, alias, state))
        }
        return yield* moveAlias(registry, { ...options, model, alias, version, by: yield* Actor })
      },
      transaction,
      write("setAlias"),
    ),
    listMoves: (model, alias, { limit, after }) =>
      read("listMoves")(aliases.listMoves(model, alias, limit, after)),
    deleteAlias: Effect.fnUntraced(
      function* (model, alias, expected) {
        yield* statements.lockModel(model)
        if (Option.isNone(yield* aliases.findAlias(model, alias))) return false
        yield* moveAlias(registry, { model, alias, version: null, by: yield* Actor, expected })
        return true
      },
      transaction,
      write("deleteAlias"),
    ),
  }
}
