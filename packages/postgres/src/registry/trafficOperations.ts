/** What the registry does with traffic policies. */
import {
  Actor,
  type AliasName,
  expecting,
  type Model,
  type ModelName,
  policyOf,
  RegistryError,
  refusedByTraffic,
  splitFrom,
  TrafficConflict,
  TrafficNotFound,
  type TrafficOperations,
  type TrafficOptions,
  type TrafficPolicy,
  VersionConflict,
  type VersionNumber,
  versionsNamed,
  versionsOfSplit,
} from "@modelforge/core"
import { Array, Effect, Equal, Option } from "effect"
import { read, write } from "../registryOperation.ts"
import { type PostgresRegistry, refuse } from "./PostgresRegistry.ts"

/** With the model locked: the policy in force may hold the alias where it is. */
export const heldByTraffic = Effect.fnUntraced(function* (
  registry: PostgresRegistry,
  model: ModelName,
  alias: AliasName,
  version: VersionNumber | null,
) {
  const { traffic } = yield* registry.findModel(model)
  return refusedByTraffic({ model, alias, version }, traffic)
})

/** With the model locked: replaces the policy in force, or removes it. */
export const changeTraffic = Effect.fnUntraced(function* (
  { traffic, record }: PostgresRegistry,
  { name, traffic: present }: Pick<Model, "name" | "traffic">,
  policy: TrafficPolicy | null,
  reason: string | undefined,
) {
  const by = yield* Actor
  const from = present && policyOf(present)
  const newest = Array.head(yield* traffic.listChanges(name, 1, undefined))
  const revision = Option.match(newest, { onNone: () => 0, onSome: (change) => change.revision }) + 1
  const made = yield* traffic.insertChange({ model: name, revision, from, policy, by, reason })
  yield* traffic.forgetChanges(name, revision)
  yield* record(name, by, { type: "traffic.changed", from, to: policy, reason: made.reason })
  return made
})

/** With the model locked: whether requests can be spread as the policy says. */
const checkSplit = Effect.fnUntraced(function* (
  registry: PostgresRegistry,
  known: Model,
  policy: TrafficPolicy,
  guard: TrafficOptions["guard"],
) {
  const model = known.name
  const versions = yield* Effect.mapError(
    Effect.fromResult(versionsNamed(known, policy)),
    (reason) => new RegistryError({ reason }),
  )
  for (const version of versions) {
    const state = yield* registry.stateOf(model, version)
    if (state !== "ready") return yield* refuse(VersionConflict.notRoutable(model, version, state))
  }
  const from = splitFrom(known, policy)
  if (guard === undefined || from === undefined) return
  const left = yield* registry.findVersion(model, from)
  for (const version of versionsOfSplit(known, policy)) {
    const why = version === from ? undefined : guard(left, yield* registry.findVersion(model, version))
    if (why !== undefined) return yield* refuse(why)
  }
})

export const makeTrafficOperations = (registry: PostgresRegistry): TrafficOperations => {
  const { statements, traffic, transaction } = registry
  return {
    setTraffic: Effect.fnUntraced(
      function* (model, policy, { reason, guard, after, expected } = {}) {
        yield* statements.lockModel(model)
        const known = yield* registry.findModel(model)
        const [newest] = yield* traffic.listChanges(model, 1, undefined)
        if (after !== undefined && after !== (newest?.revision ?? 0))
          return yield* refuse(TrafficConflict.changed(model))
        if (policy === null && known.traffic === null) return yield* refuse(new TrafficNotFound({ model }))
        yield* expecting(expected, `traffic policy of model "${model}"`, known.traffic)
        if (newest !== undefined && policy !== null && Equal.equals(newest.policy, policy)) return newest
        if (policy !== null) yield* checkSplit(registry, known, policy, guard)
        return yield* changeTraffic(registry, known, policy, reason)
      },
      transaction,
      write("setTraffic"),
    ),
    listTrafficChanges: (model, { limit, after }) =>
      read("listTrafficChanges")(traffic.listChanges(model, limit, after)),
  }
}
