/** What the registry in memory does with traffic policies. */
import { Effect, Equal, Result } from "effect"
import type { AliasName } from "../../model/Names.ts"
import { policyOf, TrafficChange, type TrafficPolicy } from "../../model/TrafficPolicy.ts"
import type { VersionNumber } from "../../model/Version.ts"
import { expecting } from "../Expectation.ts"
import { ModelNotFound, TrafficConflict, TrafficNotFound, VersionConflict } from "../RegistryError.ts"
import type { TrafficOperations } from "../RegistryOperations.ts"
import { maxTrafficChanges } from "../RegistryStore.ts"
import { refusedByTraffic, splitFrom, versionsNamed, versionsOfSplit } from "../splitChecks.ts"
import { type Change, change, type MemoryRegistry, refuse, refuseNoVersion } from "./MemoryRegistry.ts"
import { type StoredModel, toModel, trafficOf } from "./StoredModel.ts"

/** Replaces the traffic policy, or removes it. */
export const changeTraffic = (
  registry: MemoryRegistry,
  stored: StoredModel,
  policy: TrafficPolicy | null,
  now: Change,
  reason: string | null = null,
) => {
  const present = trafficOf(stored)
  const from = present && policyOf(present)
  const revision = (stored.traffic[0]?.revision ?? 0) + 1
  const made = new TrafficChange({ revision, from, policy, updatedAt: now.at, updatedBy: now.by, reason })
  stored.traffic = [made, ...stored.traffic].slice(0, maxTrafficChanges)
  registry.record(stored.name, now, { type: "traffic.changed", from, to: policy, reason })
  return made
}

/** Why an alias can't be pointed at a version, or be deleted. */
export const heldByTraffic = (stored: StoredModel, alias: AliasName, version: VersionNumber | null) =>
  refusedByTraffic({ model: stored.name, alias, version }, trafficOf(stored))

export const makeTrafficOperations = (registry: MemoryRegistry): TrafficOperations => {
  const { models } = registry
  return {
    setTraffic: Effect.fnUntraced(function* (model, policy, { reason, guard, after, expected } = {}) {
      const now = yield* change
      const stored = models.get(model)
      if (!stored) return yield* refuse(new ModelNotFound({ model }))
      const newest = stored.traffic[0]
      if (after !== undefined && after !== (newest?.revision ?? 0))
        return yield* refuse(TrafficConflict.changed(model))
      const present = trafficOf(stored)
      if (policy === null && present === null) return yield* refuse(new TrafficNotFound({ model }))
      yield* expecting(expected, `traffic policy of model "${model}"`, present)
      if (newest !== undefined && policy !== null && Equal.equals(newest.policy, policy)) return newest
      if (policy === null) return changeTraffic(registry, stored, null, now, reason)
      const named = toModel(stored)
      const versions = versionsNamed(named, policy)
      if (Result.isFailure(versions)) return yield* refuse(versions.failure)
      const from = splitFrom(named, policy)
      const left = from === undefined ? undefined : stored.versions.get(from)?.value
      for (const version of versions.success) {
        const target = stored.versions.get(version)?.value
        if (target === undefined) return yield* refuseNoVersion(model, version)
        if (target.state !== "ready")
          return yield* refuse(VersionConflict.notRoutable(model, version, target.state))
      }
      for (const version of versionsOfSplit(named, policy)) {
        const target = stored.versions.get(version)?.value
        const why = left && target && left !== target ? guard?.(left, target) : undefined
        if (why) return yield* refuse(why)
      }
      return changeTraffic(registry, stored, policy, now, reason)
    }),
    listTrafficChanges: (model, { limit, after }) =>
      Effect.sync(() =>
        (models.get(model)?.traffic ?? [])
          .filter(({ revision }) => after === undefined || revision < after)
          .slice(0, limit),
      ),
  }
}
