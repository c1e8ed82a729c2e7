/** `RegistryStore` on PostgreSQL. The schema, its constraints and the lock of a model's row make it atomic. */
import type {
  AliasName,
  ChangeDetails,
  Expectation,
  Model,
  ModelName,
  MoveOptions,
  RegistryChange,
  RegistryReason,
  TrafficOptions,
  TrafficPolicy,
  Version,
  VersionNumber,
} from "@modelforge/core"
import {
  Actor,
  AliasMoved,
  aliasAfter,
  auditedModel,
  auditedVersion,
  DuplicateVersion,
  draftFrom,
  expecting,
  incompatibleMove,
  ModelExists,
  ModelNotFound,
  namedBy,
  Origin,
  policyOf,
  RegistryError,
  RegistryStore,
  refusedByTraffic,
  registryEntry,
  splitFrom,
  TrafficConflict,
  TrafficNotFound,
  VersionConflict,
  VersionNotFound,
  versionsNamed,
  versionsOfSplit,
} from "@modelforge/core"
import { Array, Effect, Equal, Layer, Option } from "effect"
import { SqlClient } from "effect/sql"
import { makeAliasStatements } from "./aliasStatements.ts"
import { addPending, makeAuditStatements } from "./auditStatements.ts"
import { makeEventStatements } from "./eventStatements.ts"
import { read, write } from "./registryOperation.ts"
import { makeRegistryStatements } from "./registryStatements.ts"
import { makeTrafficStatements } from "./trafficStatements.ts"

const refuse = (reason: RegistryReason) => Effect.fail(new RegistryError({ reason }))

const orRefuse =
  (reason: () => RegistryReason) =>
  <A, E, R>(effect: Effect.Effect<Option.Option<A>, E, R>) =>
    Effect.flatMap(effect, (found) => (Option.isSome(found) ? Effect.succeed(found.value) : refuse(reason())))

/** Points an alias at a version, or deletes it. */
interface Move extends MoveOptions {
  readonly model: ModelName
  readonly alias: AliasName
  readonly version: VersionNumber | null
  readonly by: string | null
}

/** A model that an upload made. */
const bareModel = { description: "", tags: [], labels: {} }

/** What people say of a model. */
const about = ({ description, tags, labels }: Pick<Model, "description" | "tags" | "labels">) => ({
  description,
  tags,
  labels,
})

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const statements = makeRegistryStatements(sql)
  const aliases = makeAliasStatements(sql)
  const traffic = makeTrafficStatements(sql)
  const { append } = makeEventStatements(sql)
  const { transaction } = makeAuditStatements(sql)
  const noModel = (model: string) => () => new ModelNotFound({ model })
  const noVersion = (model: string, version: number) => () =>
    new VersionNotFound({ model, version: String(version) })

  /** One change, in the log of events and in the audit log. */
  const record = Effect.fnUntraced(function* (
    model: ModelName,
    by: string | null,
    change: RegistryChange,
    details?: ChangeDetails,
  ) {
    yield* append(model, by, change)
    yield* addPending(draftFrom(by, yield* Origin, registryEntry(model, change, details)))
  })

  const findVersion = (model: ModelName, version: VersionNumber) =>
    orRefuse(noVersion(model, version))(statements.findVersion(model, version))

  /** Locks a model, which is to be the expected one or to have the expected config, and gives it as it is. */
  const lockExpected = Effect.fnUntraced(function* (
    name: ModelName,
    expected: Expectation | undefined,
    part: "model" | "config" = "model",
  ) {
    yield* statements.lockModel(name)
    const model = yield* orRefuse(noModel(name))(statements.findModel(name))
    if (part === "model") yield* expecting(expected, `model "${name}"`, model)
    else yield* expecting(expected, `config of model "${name}"`, model.config)
    return model
  })

  /** With its model locked: a version, which is to be the expected one. */
  const expectVersion = Effect.fnUntraced(function* (
    model: ModelName,
    version: VersionNumber,
    expected: Expectation | undefined,
  ) {
    const found = yield* findVersion(model, version)
    yield* expecting(expected, `version ${version} of model "${model}"`, found)
    return found
  })

  /** With the model locked: the policy in force may hold the alias where it is. */
  const heldByTraffic = Effect.fnUntraced(function* (
    model: ModelName,
    alias: AliasName,
    version: VersionNumber | null,
  ) {
    const known = yield* orRefuse(noModel(model))(statements.findModel(model))
    return refusedByTraffic({ model, alias, version }, known.traffic)
  })

  /** With the model locked: replaces the policy in force, or removes it. */
  const changeTraffic = Effect.fnUntraced(function* (
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
      const state = yield* orRefuse(noVersion(model, version))(statements.stateOf(model, version))
      if (state !== "ready") return yield* refuse(VersionConflict.notRoutable(model, version, state))
    }
    const from = splitFrom(known, policy)
    if (guard === undefined || from === undefined) return
    const left = yield* findVersion(model, from)
    for (const version of versionsOfSplit(known, policy)) {
      const why = version === from ? undefined : guard(left, yield* findVersion(model, version))
      if (why !== undefined) return yield* refuse(why)
    }
  })

  /** With the model locked. Changes nothing when the alias points there already. */
  const move = Effect.fnUntraced(function* ({
    model,
    alias,
    version,
    by,
    after,
    guard,
    clearTraffic,
    expected,
    ...memo
  }: Move) {
    const newest = Array.head(yield* aliases.listMoves(model, alias, 1, undefined))
    const last = Option.match(newest, { onNone: () => 0, onSome: ({ move }) => move })
    if (after !== undefined && after !== last) return yield* refuse(new AliasMoved({ model, alias }))
    const present = aliasAfter(Option.getOrUndefined(newest))
    yield* expecting(expected, `alias "${alias}" of model "${model}"`, present)
    const from = Option.getOrNull(yield* aliases.findAlias(model, alias))
    if (Option.isSome(newest) && from === version) return newest.value
    if (guard !== undefined && from !== null && version !== null) {
      const why = guard(yield* findVersion(model, from), yield* findVersion(model, version))
      if (why !== undefined) return yield* refuse(why)
    }
    const held = yield* heldByTraffic(model, alias, version)
    if (held !== undefined) {
      if (version === null || clearTraffic !== true) return yield* refuse(held)
      yield* changeTraffic(yield* orRefuse(noModel(model))(statements.findModel(model)), null, memo.reason)
    }
    if (version === null) yield* aliases.deleteAlias(model, alias)
    else yield* aliases.pointAlias(model, alias, version)
    const moved = yield* aliases.insertMove({ model, alias, move: last + 1, from, version, by, ...memo })
    yield* aliases.forgetMoves(model, alias, last + 1)
    yield* record(model, by, { type: "alias.moved", alias, from, to: version }, memo)
    return moved
  })

  /** The state of a version, with its model locked. */
  const lockVersion = Effect.fnUntraced(function* (model: ModelName, version: VersionNumber) {
    yield* statements.lockModel(model)
    return yield* orRefuse(noVersion(model, version))(statements.stateOf(model, version))
  })

  const refuseInUse = Effect.fnUntraced(function* (model: ModelName, version: VersionNumber) {
    const pointing = yield* aliases.aliasesOf(model, version)
    if (pointing.length > 0) return yield* refuse(VersionConflict.inUse(model, version, pointing))
    const known = yield* orRefuse(noModel(model))(statements.findModel(model))
    if (known.traffic !== null && namedBy(known.traffic).has(version))
      return yield* refuse(VersionConflict.inTraffic(model, version))
  })

  return RegistryStore.of({
    insertModel: Effect.fnUntraced(
      function* (draft) {
        const inserted = yield* statements.insertModel(draft).pipe(
          // Its only unique constraint is the name.
          Effect.catchReason("SqlError", "UniqueViolation", () =>
            refuse(new ModelExists({ model: draft.name })),
          ),
        )
        yield* record(draft.name, yield* Actor, { type: "model.created" }, { after: about(inserted) })
        return inserted
      },
      transaction,
      write("insertModel"),
    ),
    findModel: (name) => read("findModel")(statements.findModel(name)),
    listModels: (filter, window) => read("listModels")(statements.listModels(filter, window)),
    updateModel: Effect.fnUntraced(
      function* (name, change, expected) {
        const before = yield* lockExpected(name, expected)
        const updated = yield* orRefuse(noModel(name))(statements.updateModel(name, change))
        const details = { before: about(before), after: about(updated) }
        yield* record(name, yield* Actor, { type: "model.updated" }, details)
        return updated
      },
      transaction,
      write("updateModel"),
    ),
    setConfig: Effect.fnUntraced(
      function* (name, config, expected) {
        const before = yield* lockExpected(name, expected, "config")
        const configured = yield* orRefuse(noModel(name))(statements.setConfig(name, config))
        const details = { before: before.config, after: configured.config }
        yield* record(name, yield* Actor, { type: "model.configured" }, details)
        return configured
      },
      transaction,
      write("setConfig"),
    ),
    deleteModel: Effect.fnUntraced(
      function* (name, expected) {
        const before = auditedModel(yield* lockExpected(name, expected))
        yield* statements.deleteModel(name)
        yield* record(name, yield* Actor, { type: "model.deleted" }, { before })
      },
      transaction,
      write("deleteModel"),
    ),

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
        yield* move({ model, alias, version, by, guard })
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
        if (alias === null || (yield* heldByTraffic(model, alias, version)) !== undefined) return
        const guard = forced
          ? undefined
          : (from: Version, ready: Version) => incompatibleMove(alias, from, ready)
        yield* move({ model, alias, version, by, guard }).pipe(
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

    setAlias: Effect.fnUntraced(
      function* (model, alias, version, options = {}) {
        if (!(yield* statements.lockModel(model))) return yield* refuse(noModel(model)())
        const state = yield* orRefuse(noVersion(model, version))(statements.stateOf(model, version))
        if (state !== "ready") {
          return yield* refuse(VersionConflict.notReady(model, version, alias, state))
        }
        return yield* move({ ...options, model, alias, version, by: yield* Actor })
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
        yield* move({ model, alias, version: null, by: yield* Actor, expected })
        return true
      },
      transaction,
      write("deleteAlias"),
    ),

    setTraffic: Effect.fnUntraced(
      function* (model, policy, { reason, guard, after, expected } = {}) {
        yield* statements.lockModel(model)
        const known = yield* orRefuse(noModel(model))(statements.findModel(model))
        const [newest] = yield* traffic.listChanges(model, 1, undefined)
        if (after !== undefined && after !== (newest?.revision ?? 0))
          return yield* refuse(TrafficConflict.changed(model))
        if (policy === null && known.traffic === null) return yield* refuse(new TrafficNotFound({ model }))
        yield* expecting(expected, `traffic policy of model "${model}"`, known.traffic)
        if (newest !== undefined && policy !== null && Equal.equals(newest.policy, policy)) return newest
        if (policy !== null) yield* checkSplit(known, policy, guard)
        return yield* changeTraffic(known, policy, reason)
      },
      transaction,
      write("setTraffic"),
    ),
    listTrafficChanges: (model, { limit, after }) =>
      read("listTrafficChanges")(traffic.listChanges(model, limit, after)),

    listRoutes: read("listRoutes")(statements.listRoutes),
    findRoutes: (model) => read("findRoutes")(statements.findRoutes(model)),
  })
})

/** On a database that `layerMigrations` has brought up to date. */
export const layer: Layer.Layer<RegistryStore, never, SqlClient.SqlClient> = Layer.effect(RegistryStore, make)
