/** What the registry in memory does with aliases. */
import { Effect } from "effect"
import { AliasMove, aliasAfter } from "../../model/Alias.ts"
import type { AliasName } from "../../model/Names.ts"
import type { VersionNumber } from "../../model/Version.ts"
import { expecting } from "../Expectation.ts"
import { AliasMoved, ModelNotFound, VersionConflict } from "../RegistryError.ts"
import type { AliasOperations } from "../RegistryOperations.ts"
import { type MoveOptions, maxMoves } from "../RegistryStore.ts"
import { type Change, change, type MemoryRegistry, refuse, refuseNoVersion } from "./MemoryRegistry.ts"
import type { StoredModel } from "./StoredModel.ts"
import { changeTraffic, heldByTraffic } from "./trafficOperations.ts"

/** Points an alias at a version, or deletes it. Changes nothing when it points there already. */
export const moveAlias = (
  registry: MemoryRegistry,
  stored: StoredModel,
  alias: AliasName,
  version: VersionNumber | null,
  now: Change,
  { reason, restores }: MoveOptions = {},
) => {
  const from = stored.aliases.get(alias) ?? null
  const moves = stored.moves.get(alias) ?? []
  const newest = moves[0]
  if (newest !== undefined && from === version) return newest
  const made = new AliasMove({
    alias,
    move: (newest?.move ?? 0) + 1,
    from,
    version,
    updatedAt: now.at,
    updatedBy: now.by,
    reason: reason ?? null,
    restores: restores ?? null,
  })
  stored.moves.set(alias, [made, ...moves].slice(0, maxMoves))
  if (version === null) stored.aliases.delete(alias)
  else stored.aliases.set(alias, version)
  registry.record(stored.name, now, { type: "alias.moved", alias, from, to: version }, { reason })
  return made
}

export const makeAliasOperations = (registry: MemoryRegistry): AliasOperations => {
  const { models } = registry
  return {
    setAlias: Effect.fnUntraced(function* (model, alias, version, options = {}) {
      const now = yield* change
      const stored = models.get(model)
      if (!stored) return yield* refuse(new ModelNotFound({ model }))
      const newest = stored.moves.get(alias)?.[0]
      if (options.after !== undefined && options.after !== (newest?.move ?? 0))
        return yield* refuse(new AliasMoved({ model, alias }))
      yield* expecting(options.expected, `alias "${alias}" of model "${model}"`, aliasAfter(newest))
      const target = stored.versions.get(version)?.value
      if (target === undefined) return yield* refuseNoVersion(model, version)
      if (target.state !== "ready")
        return yield* refuse(VersionConflict.notReady(model, version, alias, target.state))
      const from = stored.aliases.get(alias)
      const left = from === undefined || from === version ? undefined : registry.versionOf(model, from)?.value
      const why = left && options.guard?.(left, target)
      if (why) return yield* refuse(why)
      const held = from === version ? undefined : heldByTraffic(stored, alias, version)
      if (held && options.clearTraffic !== true) return yield* refuse(held)
      if (held) changeTraffic(registry, stored, null, now, options.reason)
      return moveAlias(registry, stored, alias, version, now, options)
    }),
    listMoves: (model, alias, { limit, after }) =>
      Effect.sync(() =>
        (models.get(model)?.moves.get(alias) ?? [])
          .filter(({ move }) => after === undefined || move < after)
          .slice(0, limit),
      ),
    deleteAlias: Effect.fnUntraced(function* (model, alias, expected) {
      const now = yield* change
      const stored = models.get(model)
      if (!stored?.aliases.has(alias)) return false
      const newest = stored.moves.get(alias)?.[0]
      yield* expecting(expected, `alias "${alias}" of model "${model}"`, aliasAfter(newest))
      const held = heldByTraffic(stored, alias, null)
      if (held) return yield* refuse(held)
      moveAlias(registry, stored, alias, null, now)
      return true
    }),
  }
}
