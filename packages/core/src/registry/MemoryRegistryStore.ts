/**
 * `RegistryStore`, with its events, in the memory of one process: volatile. For tests, examples and trying things out.
 */
import { Context, DateTime, Effect, Equal, Layer, Option, Result } from "effect"
import { draftFrom } from "../audit/AuditDraft.ts"
import type { AuditStore } from "../audit/AuditStore.ts"
import { layerAuditStoreMemory, MemoryAudit } from "../audit/MemoryAudit.ts"
import { auditedModel, auditedVersion, type ChangeDetails, registryEntry } from "../audit/registryEntries.ts"
import { Actor } from "../events/Actor.ts"
import { EventStore } from "../events/EventStore.ts"
import { MemoryEvents } from "../events/MemoryEvents.ts"
import { Origin } from "../events/Origin.ts"
import { RegistryChanges } from "../events/RegistryChanges.ts"
import { AliasMove, aliasAfter } from "../model/Alias.ts"
import { Model } from "../model/Model.ts"
import type { ModelConfig } from "../model/ModelConfig.ts"
import type { AliasName, ModelName } from "../model/Names.ts"
import type { RegistryChange } from "../model/RegistryEvent.ts"
import { inForceAfter, namedBy, policyOf, TrafficChange, type TrafficPolicy } from "../model/TrafficPolicy.ts"
import type { Digest } from "../model/Version.ts"
import { Version, VersionNumber } from "../model/Version.ts"
import { expecting } from "./Expectation.ts"
import { incompatibleMove } from "./incompatibleMove.ts"
import type { RegistryReason } from "./RegistryError.ts"
import {
  AliasMoved,
  DuplicateVersion,
  ModelExists,
  ModelNotFound,
  RegistryError,
  TrafficConflict,
  TrafficNotFound,
  VersionConflict,
  VersionNotFound,
} from "./RegistryError.ts"
import type { ModelChange, ModelFilter, MoveOptions, VersionDraft, Window } from "./RegistryStore.ts"
import { maxMoves, maxTrafficChanges, RegistryStore, Routes } from "./RegistryStore.ts"
import { refusedByTraffic, splitFrom, versionsNamed, versionsOfSplit } from "./splitChecks.ts"

interface StoredModel {
  readonly name: ModelName
  readonly createdAt: DateTime.Utc
  about: Required<ModelChange>
  config: ModelConfig
  updatedAt: DateTime.Utc
  /** Highest number ever given; 0 before the first. */
  lastVersion: number
  readonly versions: Map<VersionNumber, StoredVersion>
  readonly aliases: Map<AliasName, VersionNumber>
  /** Of aliases that are and were, newest first. */
  readonly moves: Map<AliasName, ReadonlyArray<AliasMove>>
  /** Changes of the traffic policy, newest first. */
  traffic: ReadonlyArray<TrafficChange>
}

/** By whom, when and from where something is changed. */
interface Change {
  readonly by: string | null
  readonly at: DateTime.Utc
  readonly origin: Origin
}
const change = Effect.all({ by: Actor, at: DateTime.now, origin: Origin })

interface StoredVersion {
  value: Version
  readonly graph: string
  /** Set when the version settles as ready. */
  readonly alias: AliasName | null
  readonly force: boolean
}

const refuse = (reason: RegistryReason) => Effect.fail(new RegistryError({ reason }))

const emptyModel = (name: ModelName, now: DateTime.Utc): StoredModel => ({
  name,
  createdAt: now,
  about: { description: "", tags: [], labels: {} },
  config: {},
  updatedAt: now,
  lastVersion: 0,
  versions: new Map(),
  aliases: new Map(),
  moves: new Map(),
  traffic: [],
})

const trafficOf = (stored: StoredModel) => inForceAfter(stored.traffic[0])

const isReady = (stored: StoredModel) => [...stored.versions.values()].some((v) => v.value.state === "ready")

const toModel = (stored: StoredModel) =>
  new Model({
    name: stored.name,
    ...stored.about,
    createdAt: stored.createdAt,
    updatedAt: stored.updatedAt,
    latestVersion: stored.lastVersion === 0 ? null : VersionNumber.make(stored.lastVersion),
    aliases: Object.fromEntries(stored.aliases),
    traffic: trafficOf(stored),
    config: stored.config,
    state: isReady(stored) ? "ready" : "empty",
  })

const newestFirst = (stored: StoredModel) =>
  [...stored.versions.values()].map((v) => v.value).sort((a, b) => b.version - a.version)

const toRoutes = (stored: StoredModel) =>
  new Routes({
    model: stored.name,
    aliases: Object.fromEntries(stored.aliases),
    traffic: trafficOf(stored),
    config: stored.config,
    versions: newestFirst(stored),
  })

const matches = (filter: ModelFilter) => (model: Model) => {
  const search = filter.search?.toLowerCase() ?? ""
  return (
    (model.name.includes(search) || model.description.toLowerCase().includes(search)) &&
    (filter.tag === undefined || model.tags.includes(filter.tag)) &&
    (filter.label === undefined ||
      Object.entries(model.labels).some(([key, value]) => `${key}:${value}` === filter.label)) &&
    (filter.state === undefined || model.state === filter.state) &&
    (filter.among?.includes(model.name) ?? true)
  )
}

/** Every change happens between two yields of its fiber, so no other fiber sees half of it. */
const make = Effect.gen(function* () {
  const audit = yield* MemoryAudit
  const models = new Map<ModelName, StoredModel>()
  /** When the last version that had it was deleted. */
  const released = new Map<Digest, DateTime.Utc>()
  const events = new MemoryEvents()
  const byName = () => [...models.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const versionOf = (model: ModelName, version: VersionNumber) => models.get(model)?.versions.get(version)
  const versionWithDigest = (stored: StoredModel | undefined, digest: Digest) =>
    stored && newestFirst(stored).find((version) => version.digest === digest)?.version
  const noVersion = (model: ModelName, version: VersionNumber) =>
    refuse(new VersionNotFound({ model, version: String(version) }))

  /** One change, in the log of events and in the audit log. */
  const record = (
    model: ModelName,
    { by, at, origin }: Change,
    what: RegistryChange,
    details?: ChangeDetails,
  ) => {
    events.append(model, by, at, what)
    audit.append(draftFrom(by, origin, registryEntry(model, what, details)), at)
  }

  const transition = (stored: StoredVersion, fields: Partial<Version>, now: Change) => {
    const { model, version, state } = stored.value
    stored.value = new Version({ ...stored.value, ...fields })
    const { state: to, reason } = stored.value
    record(
      model,
      now,
      { type: "version.state", version, from: state, to },
      { after: to === "invalid" ? { reason } : undefined },
    )
  }

  const pointing = (stored: StoredModel, version: VersionNumber) =>
    [...stored.aliases]
      .filter(([, target]) => target === version)
      .map(([alias]) => alias)
      .sort()

  /** Points an alias at a version, or deletes it. Changes nothing when it points there already. */
  const move = (
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
    record(stored.name, now, { type: "alias.moved", alias, from, to: version }, { reason })
    return made
  }

  /** Replaces the traffic policy, or removes it. */
  const setTraffic = (
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
    record(stored.name, now, { type: "traffic.changed", from, to: policy, reason })
    return made
  }

  /** Why a version that is in use can't go. */
  const inUse = (stored: StoredModel, version: VersionNumber) => {
    const aliases = pointing(stored, version)
    if (aliases.length > 0) return VersionConflict.inUse(stored.name, version, aliases)
    const traffic = trafficOf(stored)
    return traffic !== null && namedBy(traffic).has(version)
      ? VersionConflict.inTraffic(stored.name, version)
      : undefined
  }

  /** Why an alias can't be pointed at a version, or be deleted. */
  const heldByTraffic = (stored: StoredModel, alias: AliasName, version: VersionNumber | null) =>
    refusedByTraffic({ model: stored.name, alias, version }, trafficOf(stored))

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

  const store = RegistryStore.of({
    insertModel: Effect.fnUntraced(function* ({ name, ...about }) {
      const now = yield* change
      if (models.has(name)) return yield* refuse(new ModelExists({ model: name }))
      const stored = emptyModel(name, now.at)
      stored.about = { ...stored.about, ...about }
      models.set(name, stored)
      record(name, now, { type: "model.created" }, { after: stored.about })
      return toModel(stored)
    }),
    findModel: (name) => Effect.sync(() => Option.map(Option.fromUndefinedOr(models.get(name)), toModel)),
    listModels: (filter: ModelFilter, window: Window<ModelName>) =>
      Effect.sync(() => {
        const { after, limit } = window
        const rest = byName().filter((stored) => after === undefined || stored.name > after)
        return rest.map(toModel).filter(matches(filter)).slice(0, limit)
      }),
    updateModel: Effect.fnUntraced(function* (name, fields, expected) {
      const now = yield* change
      const stored = models.get(name)
      if (!stored) return yield* refuse(new ModelNotFound({ model: name }))
      yield* expecting(expected, `model "${name}"`, toModel(stored))
      const before = stored.about
      stored.about = { ...before, ...fields }
      stored.updatedAt = now.at
      record(name, now, { type: "model.updated" }, { before, after: stored.about })
      return toModel(stored)
    }),
    setConfig: Effect.fnUntraced(function* (name, config, expected) {
      const now = yield* change
      const stored = models.get(name)
      if (!stored) return yield* refuse(new ModelNotFound({ model: name }))
      yield* expecting(expected, `config of model "${name}"`, stored.config)
      record(name, now, { type: "model.configured" }, { before: stored.config, after: config })
      stored.config = config
      stored.updatedAt = now.at
      return toModel(stored)
    }),
    deleteModel: Effect.fnUntraced(function* (name, expected) {
      const now = yield* change
      const stored = models.get(name)
      if (!stored) return yield* refuse(new ModelNotFound({ model: name }))
      yield* expecting(expected, `model "${name}"`, toModel(stored))
      models.delete(name)
      for (const { value } of stored.versions.values()) released.set(value.digest, now.at)
      record(name, now, { type: "model.deleted" }, { before: auditedModel(toModel(stored)) })
    }),

    insertVersion: Effect.fnUntraced(function* ({
      alias,
      createModel,
      force,
      graph,
      ...draft
    }: VersionDraft) {
      const now = { ...(yield* change), by: draft.createdBy }
      const { model, digest, signature, state } = draft
      const known = models.get(model)
      const stored = known ?? (createModel ? emptyModel(model, now.at) : undefined)
      if (!stored) return yield* refuse(new ModelNotFound({ model }))
      const same = versionWithDigest(stored, digest)
      if (same !== undefined) return yield* refuse(new DuplicateVersion({ model, version: same, digest }))
      const version = VersionNumber.make(stored.lastVersion + 1)
      // Nobody hears of its number where it is refused.
      const file = { version: null, signature }
      const why = state === "ready" && refusedAlias(stored, { alias, force }, version, file)
      if (why) return yield* refuse(why)
      const value = new Version({ ...draft, version, reason: null, createdAt: now.at })
      models.set(model, stored)
      if (!known) record(model, now, { type: "model.created" }, { after: stored.about })
      stored.lastVersion = version
      stored.versions.set(version, { value, graph, alias, force })
      record(
        model,
        now,
        { type: "version.state", version, from: null, to: state },
        { after: auditedVersion(value) },
      )
      if (state === "ready" && alias !== null) move(stored, alias, version, now)
      return value
    }),
    findVersion: (model, version) =>
      Effect.sync(() => Option.fromUndefinedOr(versionOf(model, version)?.value)),
    findDigest: (model, digest) =>
      Effect.sync(() => Option.fromUndefinedOr(versionWithDigest(models.get(model), digest))),
    findGraph: (model, version) =>
      Effect.sync(() => Option.fromUndefinedOr(versionOf(model, version)?.graph)),
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
      byName()
        .flatMap(newestFirst)
        .filter((version) => version.state === "validating"),
    ),
    settleVersion: Effect.fnUntraced(function* (model, version, verdict) {
      const present = yield* change
      const [stored, settled] = [models.get(model), versionOf(model, version)]
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
        move(stored, alias, version, now)
    }),
    describeVersion: Effect.fnUntraced(function* (model, version, description, expected) {
      const now = yield* change
      const stored = versionOf(model, version)
      if (!stored) return yield* noVersion(model, version)
      yield* expecting(expected, `version ${version} of model "${model}"`, stored.value)
      const before = { description: stored.value.description }
      stored.value = new Version({ ...stored.value, description })
      record(model, now, { type: "version.described", version }, { before, after: { description } })
      return stored.value
    }),
    setArchived: Effect.fnUntraced(function* (model, version, archived) {
      const now = yield* change
      const [stored, found] = [models.get(model), versionOf(model, version)]
      if (!stored || !found) return yield* noVersion(model, version)
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
      const [stored, found] = [models.get(model), versionOf(model, version)]
      if (!stored || !found) return yield* noVersion(model, version)
      yield* expecting(expected, `version ${version} of model "${model}"`, found.value)
      const used = inUse(stored, version)
      if (used) return yield* refuse(used)
      stored.versions.delete(version)
      released.set(found.value.digest, now.at)
      record(
        model,
        now,
        { type: "version.state", version, from: found.value.state, to: null },
        { before: auditedVersion(found.value) },
      )
    }),

    setAlias: Effect.fnUntraced(function* (model, alias, version, options = {}) {
      const now = yield* change
      const stored = models.get(model)
      if (!stored) return yield* refuse(new ModelNotFound({ model }))
      const newest = stored.moves.get(alias)?.[0]
      if (options.after !== undefined && options.after !== (newest?.move ?? 0))
        return yield* refuse(new AliasMoved({ model, alias }))
      yield* expecting(options.expected, `alias "${alias}" of model "${model}"`, aliasAfter(newest))
      const target = stored.versions.get(version)?.value
      if (target === undefined) return yield* noVersion(model, version)
      if (target.state !== "ready")
        return yield* refuse(VersionConflict.notReady(model, version, alias, target.state))
      const from = stored.aliases.get(alias)
      const left = from === undefined || from === version ? undefined : versionOf(model, from)?.value
      const why = left && options.guard?.(left, target)
      if (why) return yield* refuse(why)
      const held = from === version ? undefined : heldByTraffic(stored, alias, version)
      if (held && options.clearTraffic !== true) return yield* refuse(held)
      if (held) setTraffic(stored, null, now, options.reason)
      return move(stored, alias, version, now, options)
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
      move(stored, alias, null, now)
      return true
    }),

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
      if (policy === null) return setTraffic(stored, null, now, reason)
      const named = toModel(stored)
      const versions = versionsNamed(named, policy)
      if (Result.isFailure(versions)) return yield* refuse(versions.failure)
      const from = splitFrom(named, policy)
      const left = from === undefined ? undefined : stored.versions.get(from)?.value
      for (const version of versions.success) {
        const target = stored.versions.get(version)?.value
        if (target === undefined) return yield* noVersion(model, version)
        if (target.state !== "ready")
          return yield* refuse(VersionConflict.notRoutable(model, version, target.state))
      }
      for (const version of versionsOfSplit(named, policy)) {
        const target = stored.versions.get(version)?.value
        const why = left && target && left !== target ? guard?.(left, target) : undefined
        if (why) return yield* refuse(why)
      }
      return setTraffic(stored, policy, now, reason)
    }),
    listTrafficChanges: (model, { limit, after }) =>
      Effect.sync(() =>
        (models.get(model)?.traffic ?? [])
          .filter(({ revision }) => after === undefined || revision < after)
          .slice(0, limit),
      ),

    listRoutes: Effect.sync(() => byName().map(toRoutes)),
    findRoutes: (model) => Effect.sync(() => Option.map(Option.fromUndefinedOr(models.get(model)), toRoutes)),
  })

  return Context.make(RegistryStore, store).pipe(
    Context.add(EventStore, events.store),
    Context.add(RegistryChanges, events.changes),
  )
})

/** Every build of this layer starts empty. What changes the registry is in the audit log that comes with it. */
export const layerRegistryStoreMemory: Layer.Layer<
  RegistryStore | EventStore | RegistryChanges | AuditStore | MemoryAudit
> = Layer.effectContext(make).pipe(Layer.provideMerge(layerAuditStoreMemory))
