/** What the registry in memory does with versions. */
import { DateTime, Effect, Option } from "effect"
import { auditedVersion } from "../../audit/registryEntries.ts"
import { namedBy } from "../../model/TrafficPolicy.ts"
import { type Digest, Version, VersionNumber } from "../../model/Version.ts"
import { expecting } from "../Expectation.ts"
import { incompatibleMove } from "../incompatibleMove.ts"
import { DuplicateVersion, ModelNotFound, VersionConflict } from "../RegistryError.ts"
import type { VersionOperations } from "../RegistryOperations.ts"
import { moveAlias } from "./aliasOperations.ts"
import { type Change, change, type MemoryRegistry, refuse, refuseNoVersion } from "./MemoryRegistry.ts"
import { emptyModel, newestFirst, type StoredModel, type StoredVersion, trafficOf } from "./StoredModel.ts"
import { heldByTraffic } from "./trafficOperations.ts"

const withDigest = (stored: StoredModel | undefined, digest: Digest) =>
  stored && newestFirst(stored).find((version) => version.digest === digest)?.version

/** Why a version that is in use can't go. */
const inUse = (stored: StoredModel, version: VersionNumber) => {
  const aliases = [...stored.aliases].flatMap(([alias, target]) => (target === version ? alias : [])).sort()
  if (aliases.length > 0) return VersionConflict.inUse(stored.name, version, aliases)
  const traffic = trafficOf(stored)
  return traffic !== null && namedBy(traffic).has(version)
    ? VersionConflict.inTraffic(stored.name, version)
    : undefined
}

/** Why the alias that an upload asked for can't be set to what became of it. */
const refusedAlias = (
  stored: StoredModel,
  { alias, force }: Pick<StoredVersion, "alias" | "force">,
  version: VersionNumber,
  to: Parameters<typeof incompatibleMove>[2],
) => {
  if (alias === null) return undefined
  const from = stored.aliases.get(alias)
  const left = from === undefined || force ? undefined : stored.versions.get(from)?.value
  return (left && incompatibleMove(alias, left, to)) ?? heldByTraffic(stored, alias, version)
}

export const makeVersionOperations = (registry: MemoryRegistry): VersionOperations => {
  const { models, released } = registry

  const transition = (stored: StoredVersion, fields: Partial<Version>, now: Change) => {
    const { model, version, state } = stored.value
    stored.value = new Version({ ...stored.value, ...fields })
    const { state: to, reason } = stored.value
    registry.record(
      model,
      now,
      { type: "version.state", version, from: state, to },
      { after: to === "invalid" ? { reason } : undefined },
    )
  }

  return {
    insertVersion: Effect.fnUntraced(function* ({ alias, createModel, force, graph, ...draft }) {
      const now = { ...(yield* change), by: draft.createdBy }
      const { model, digest, signature, state } = draft
      const known = models.get(model)
      const stored = known ?? (createModel ? emptyModel(model, now.at) : undefined)
      if (!stored) return yield* refuse(new ModelNotFound({ model }))
      const same = withDigest(stored, digest)
      if (same !== undefined) return yield* refuse(new DuplicateVersion({ model, version: same, digest }))
      const version = VersionNumber.make(stored.lastVersion + 1)
      // Nobody hears of its number where it is refused.
      const file = { version: null, signature }
      const why = state === "ready" && refusedAlias(stored, { alias, force }, version, file)
      if (why) return yield* refuse(why)
      const value = new Version({ ...draft, version, reason: null, createdAt: now.at })
      models.set(model, stored)
      if (!known) registry.record(model, now, { type: "model.created" }, { after: stored.about })
      stored.lastVersion = version
      stored.versions.set(version, { value, graph, alias, force })
      registry.record(
        model,
        now,
        { type: "version.state", version, from: null, to: state },
        { after: auditedVersion(value) },
      )
      if (state === "ready" && alias !== null) moveAlias(registry, stored, alias, version, now)
      return value
    }),
    findVersion: (model, version) =>
      Effect.sync(() => Option.fromUndefinedOr(registry.versionOf(model, version)?.value)),
    findDigest: (model, digest) =>
      Effect.sync(() => Option.fromUndefinedOr(withDigest(models.get(model), digest))),
    findGraph: (model, version) =>
      Effect.sync(() => Option.fromUndefinedOr(registry.versionOf(model, version)?.graph)),
    findReferred: (digests, since) =>
      Effect.sync(() => {
        const all = new Set([...models.values()].flatMap(newestFirst).map(({ digest }) => digest))
        for (const [digest, at] of released) if (DateTime.isGreaterThanOrEqualTo(at, since)) all.add(digest)
        return new Set(digests.filter((digest) => all.has(digest)))
      }),
    forgetReferred: (before) =>
      Effect.sync(() => {
        for (const [digest, at] of released) if (DateTime.isLessThan(at, before)) released.delete(digest)
      }),
    listVersions: (model, { limit, after, state }) =>
      Effect.sync(() => {
        const stored = models.get(model)
        const all = stored ? newestFirst(stored) : []
        return all
          .filter((version) => after === undefined || version.version < after)
          .filter((version) => state === undefined || version.state === state)
          .slice(0, limit)
      }),
    listValidating: Effect.sync(() =>
      registry
        .byName()
        .flatMap(newestFirst)
        .filter((version) => version.state === "validating"),
    ),
    settleVersion: Effect.fnUntraced(function* (model, version, verdict) {
      const present = yield* change
      const [stored, settled] = [models.get(model), registry.versionOf(model, version)]
      if (!stored || settled?.value.state !== "validating") return
      // In the name of whoever uploaded it: nobody waits any more.
      const now = { ...present, by: settled.value.createdBy }
      transition(settled, verdict, now)
      const { alias } = settled
      if (
        verdict.state === "ready" &&
        alias !== null &&
        !refusedAlias(stored, settled, version, settled.value)
      )
        moveAlias(registry, stored, alias, version, now)
    }),
    describeVersion: Effect.fnUntraced(function* (model, version, description, expected) {
      const now = yield* change
      const stored = registry.versionOf(model, version)
      if (!stored) return yield* refuseNoVersion(model, version)
      yield* expecting(expected, `version ${version} of model "${model}"`, stored.value)
      const before = { description: stored.value.description }
      stored.value = new Version({ ...stored.value, description })
      registry.record(model, now, { type: "version.described", version }, { before, after: { description } })
      return stored.value
    }),
    setArchived: Effect.fnUntraced(function* (model, version, archived) {
      const now = yield* change
      const [stored, found] = [models.get(model), registry.versionOf(model, version)]
      if (!stored || !found) return yield* refuseNoVersion(model, version)
      const { state } = found.value
      if (state !== "ready" && state !== "archived")
        return yield* refuse(VersionConflict.notArchivable(model, version, state))
      const used = archived ? inUse(stored, version) : undefined
      if (used) return yield* refuse(used)
      const target = archived ? "archived" : "ready"
      if (state !== target) transition(found, { state: target }, now)
      return found.value
    }),
    deleteVersion: Effect.fnUntraced(function* (model, version, expected) {
      const now = yield* change
      const [stored, found] = [models.get(model), registry.versionOf(model, version)]
      if (!stored || !found) return yield* refuseNoVersion(model, version)
      yield* expecting(expected, `version ${version} of model "${model}"`, found.value)
      const used = inUse(stored, version)
      if (used) return yield* refuse(used)
      stored.versions.delete(version)
      released.set(found.value.digest, now.at)
      registry.record(
        model,
        now,
        { type: "version.state", version, from: found.value.state, to: null },
        { before: auditedVersion(found.value) },
      )
    }),
  }
}
