/** What the registry does with versions. */
import {
  Actor,
  auditedVersion,
  DuplicateVersion,
  type Expectation,
  expecting,
  incompatibleMove,
  type ModelName,
  namedBy,
  type Version,
  VersionConflict,
  type VersionNumber,
  type VersionOperations,
} from "@modelforge/core"
import { Effect, Option } from "effect"
import { read, write } from "../registryOperation.ts"
import { moveAlias } from "./aliasOperations.ts"
import { about, noModel, noVersion, orRefuse, type PostgresRegistry, refuse } from "./PostgresRegistry.ts"
import { heldByTraffic } from "./trafficOperations.ts"

/** A model that an upload made. */
const bareModel = { description: "", tags: [], labels: {} }

export const makeVersionOperations = (registry: PostgresRegistry): VersionOperations => {
  const { statements, aliases, record, transaction } = registry

  /** With its model locked: a version, which is to be the expected one. */
  const expectVersion = Effect.fnUntraced(function* (
    model: ModelName,
    version: VersionNumber,
    expected: Expectation | undefined,
  ) {
    const found = yield* registry.findVersion(model, version)
    yield* expecting(expected, `version ${version} of model "${model}"`, found)
    return found
  })

  /** The state of a version, with its model locked. */
  const lockVersion = Effect.fnUntraced(function* (model: ModelName, version: VersionNumber) {
    yield* statements.lockModel(model)
    return yield* registry.stateOf(model, version)
  })

  const refuseInUse = Effect.fnUntraced(function* (model: ModelName, version: VersionNumber) {
    const pointing = yield* aliases.aliasesOf(model, version)
    if (pointing.length > 0) return yield* refuse(VersionConflict.inUse(model, version, pointing))
    const { traffic } = yield* registry.findModel(model)
    if (traffic !== null && namedBy(traffic).has(version))
      return yield* refuse(VersionConflict.inTraffic(model, version))
  })

  return {
    insertVersion: Effect.fnUntraced(
      function* (draft) {
        const { model, digest, alias, signature, state, createdBy: by } = draft
        const take = draft.createModel ? statements.takeNumberOrCreateModel : statements.takeNumber
        const { version, created } = yield* orRefuse(noModel(model))(take(model))
        const same = yield* statements.findDigest(model, digest)
        if (Option.isSome(same)) {
          return yield* refuse(new DuplicateVersion({ model, digest, version: same.value }))
        }
        const inserted = yield* statements.insertVersion(draft, version)
        yield* statements.insertGraph(draft, version)
        if (created) yield* record(model, by, { type: "model.created" }, { after: about(bareModel) })
        const details = { after: auditedVersion(inserted) }
        yield* record(model, by, { type: "version.state", version, from: null, to: state }, details)
        if (state !== "ready" || alias === null) return inserted
        // Nobody hears of its number where it is refused.
        const file = { version: null, signature }
        const guard = draft.force ? undefined : (from: Version) => incompatibleMove(alias, from, file)
        yield* moveAlias(registry, { model, alias, version, by, guard })
        return inserted
      },
      transaction,
      write("insertVersion"),
    ),
    findVersion: (model, version) => read("findVersion")(statements.findVersion(model, version)),
    findDigest: (model, digest) => read("findDigest")(statements.findDigest(model, digest)),
    findGraph: (model, version) => read("findGraph")(statements.findGraph(model, version)),
    findReferred: (digests, since) => read("findReferred")(statements.findReferred(digests, since)),
    forgetReferred: (before) =>
      statements.forgetReferred(before).pipe(Effect.asVoid, write("forgetReferred")),
    listVersions: (model, window) => read("listVersions")(statements.listVersions(model, window)),
    listValidating: read("listValidating")(statements.listValidating),
    settleVersion: Effect.fnUntraced(
      function* (model, version, verdict) {
        yield* statements.lockModel(model)
        const settled = yield* statements.settleVersion(model, version, verdict)
        if (Option.isNone(settled)) return
        // In the name of whoever uploaded it: nobody waits any more.
        const { alias, createdBy: by, forced } = settled.value
        const details = { after: verdict.state === "invalid" ? { reason: verdict.reason } : undefined }
        const to = verdict.state
        yield* record(model, by, { type: "version.state", version, from: "validating", to }, details)
        if (alias === null || (yield* heldByTraffic(registry, model, alias, version)) !== undefined) return
        const guard = forced
          ? undefined
          : (from: Version, ready: Version) => incompatibleMove(alias, from, ready)
        yield* moveAlias(registry, { model, alias, version, by, guard }).pipe(
          Effect.catchReason("RegistryError", "IncompatibleSignature", () => Effect.void),
        )
      },
      transaction,
      write("settleVersion"),
    ),
    describeVersion: Effect.fnUntraced(
      function* (model, version, description, expected) {
        yield* statements.lockModel(model)
        const { description: before } = yield* expectVersion(model, version, expected)
        const described = yield* orRefuse(noVersion(model, version))(
          statements.describeVersion(model, version, description),
        )
        const details = { before: { description: before }, after: { description: described.description } }
        yield* record(model, yield* Actor, { type: "version.described", version }, details)
        return described
      },
      transaction,
      write("describeVersion"),
    ),
    setArchived: Effect.fnUntraced(
      function* (model, version, archived) {
        const from = yield* lockVersion(model, version)
        if (from !== "ready" && from !== "archived")
          return yield* refuse(VersionConflict.notArchivable(model, version, from))
        if (archived) yield* refuseInUse(model, version)
        const to = archived ? "archived" : "ready"
        if (from !== to) yield* record(model, yield* Actor, { type: "version.state", version, from, to })
        return yield* statements.setState(model, version, to)
      },
      transaction,
      write("setArchived"),
    ),
    deleteVersion: Effect.fnUntraced(
      function* (model, version, expected) {
        const from = yield* lockVersion(model, version)
        const before = auditedVersion(yield* expectVersion(model, version, expected))
        yield* refuseInUse(model, version)
        yield* statements.deleteVersion(model, version)
        yield* record(model, yield* Actor, { type: "version.state", version, from, to: null }, { before })
      },
      transaction,
      write("deleteVersion"),
    ),
  }
}
