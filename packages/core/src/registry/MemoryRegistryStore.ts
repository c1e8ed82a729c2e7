/** `RegistryStore` in the memory of one process: volatile. For tests, examples and trying things out. */
import { DateTime, Effect, Layer, Option } from "effect"
import { Model } from "../model/Model.ts"
import type { ModelConfig } from "../model/ModelConfig.ts"
import type { AliasName, ModelName } from "../model/Names.ts"
import type { Digest } from "../model/Version.ts"
import { Version, VersionNumber } from "../model/Version.ts"
import type { RegistryReason } from "./RegistryError.ts"
import {
  DuplicateVersion,
  ModelExists,
  ModelNotFound,
  RegistryError,
  VersionConflict,
  VersionNotFound,
} from "./RegistryError.ts"
import type { ModelChange, ModelFilter, VersionDraft, Window } from "./RegistryStore.ts"
import { RegistryStore, Routes } from "./RegistryStore.ts"

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
}

interface StoredVersion {
  value: Version
  readonly graph: string
  /** Set when the version settles as ready. */
  readonly alias: AliasName | null
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
})

const isReady = (stored: StoredModel) => [...stored.versions.values()].some((v) => v.value.state === "ready")

const toModel = (stored: StoredModel) =>
  new Model({
    name: stored.name,
    ...stored.about,
    createdAt: stored.createdAt,
    updatedAt: stored.updatedAt,
    latestVersion: stored.lastVersion === 0 ? null : VersionNumber.make(stored.lastVersion),
    aliases: Object.fromEntries(stored.aliases),
    config: stored.config,
    state: isReady(stored) ? "ready" : "empty",
  })

const newestFirst = (stored: StoredModel) =>
  [...stored.versions.values()].map((v) => v.value).sort((a, b) => b.version - a.version)

const toRoutes = (stored: StoredModel) =>
  new Routes({
    model: stored.name,
    aliases: Object.fromEntries(stored.aliases),
    config: stored.config,
    versions: newestFirst(stored),
  })

const matches = (filter: ModelFilter) => (model: Model) => {
  const search = filter.search?.toLowerCase() ?? ""
  return (
    (model.name.includes(search) || model.description.toLowerCase().includes(search)) &&
    (filter.tag === undefined || model.tags.includes(filter.tag)) &&
    (filter.state === undefined || model.state === filter.state)
  )
}

/** Every change happens between two yields of its fiber, so no other fiber sees half of it. */
const make = () => {
  const models = new Map<ModelName, StoredModel>()
  const byName = () => [...models.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const versionOf = (model: ModelName, version: VersionNumber) => models.get(model)?.versions.get(version)
  const versionWithDigest = (stored: StoredModel | undefined, digest: Digest) =>
    stored && newestFirst(stored).find((version) => version.digest === digest)?.version

  const change = (model: ModelName, version: VersionNumber, fields: Partial<Version>) => {
    const stored = versionOf(model, version)
    if (stored) stored.value = new Version({ ...stored.value, ...fields })
    return stored
  }

  return RegistryStore.of({
    insertModel: Effect.fnUntraced(function* ({ name, ...about }) {
      const now = yield* DateTime.now
      if (models.has(name)) return yield* refuse(new ModelExists({ model: name }))
      const stored = emptyModel(name, now)
      stored.about = { ...stored.about, ...about }
      models.set(name, stored)
      return toModel(stored)
    }),
    findModel: (name) => Effect.sync(() => Option.map(Option.fromUndefinedOr(models.get(name)), toModel)),
    listModels: (filter: ModelFilter, window: Window<ModelName>) =>
      Effect.sync(() => {
        const { after, limit } = window
        const rest = byName().filter((stored) => after === undefined || stored.name > after)
        return rest.map(toModel).filter(matches(filter)).slice(0, limit)
      }),
    updateModel: Effect.fnUntraced(function* (name, fields) {
      const now = yield* DateTime.now
      const stored = models.get(name)
      if (!stored) return yield* refuse(new ModelNotFound({ model: name }))
      stored.about = { ...stored.about, ...fields }
      stored.updatedAt = now
      return toModel(stored)
    }),
    setConfig: Effect.fnUntraced(function* (name, config) {
      const now = yield* DateTime.now
      const stored = models.get(name)
      if (!stored) return yield* refuse(new ModelNotFound({ model: name }))
      stored.config = config
      stored.updatedAt = now
      return toModel(stored)
    }),
    deleteModel: (name) =>
      Effect.suspend(() => (models.delete(name) ? Effect.void : refuse(new ModelNotFound({ model: name })))),

    insertVersion: Effect.fnUntraced(function* ({ alias, createModel, graph, ...draft }: VersionDraft) {
      const now = yield* DateTime.now
      const { model, digest, state } = draft
      const stored = models.get(model) ?? (createModel ? emptyModel(model, now) : undefined)
      if (!stored) return yield* refuse(new ModelNotFound({ model }))
      const same = versionWithDigest(stored, digest)
      if (same !== undefined) return yield* refuse(new DuplicateVersion({ model, version: same, digest }))
      const version = VersionNumber.make(stored.lastVersion + 1)
      const value = new Version({ ...draft, version, reason: null, createdAt: now })
      models.set(model, stored)
      stored.lastVersion = version
      stored.versions.set(version, { value, graph, alias })
      if (state === "ready" && alias !== null) stored.aliases.set(alias, version)
      return value
    }),
    findVersion: (model, version) =>
      Effect.sync(() => Option.fromUndefinedOr(versionOf(model, version)?.value)),
    findDigest: (model, digest) =>
      Effect.sync(() => Option.fromUndefinedOr(versionWithDigest(models.get(model), digest))),
    findGraph: (model, version) =>
      Effect.sync(() => Option.fromUndefinedOr(versionOf(model, version)?.graph)),
    findReferred: (digests) =>
      Effect.sync(() => {
        const all = new Set([...models.values()].flatMap(newestFirst).map(({ digest }) => digest))
        return new Set(digests.filter((digest) => all.has(digest)))
      }),
    listVersions: (model, { limit, after }) =>
      Effect.sync(() => {
        const stored = models.get(model)
        const all = stored ? newestFirst(stored) : []
        return all.filter((version) => after === undefined || version.version < after).slice(0, limit)
      }),
    listValidating: Effect.sync(() =>
      byName()
        .flatMap(newestFirst)
        .filter((version) => version.state === "validating"),
    ),
    settleVersion: (model, version, verdict) =>
      Effect.sync(() => {
        if (versionOf(model, version)?.value.state !== "validating") return
        const settled = change(model, version, verdict)
        if (verdict.state === "ready" && settled?.alias)
          models.get(model)?.aliases.set(settled.alias, version)
      }),
    describeVersion: (model, version, description) =>
      Effect.suspend(() => {
        const changed = change(model, version, { description })
        return changed
          ? Effect.succeed(changed.value)
          : refuse(new VersionNotFound({ model, version: String(version) }))
      }),
    deleteVersion: (model, version) =>
      Effect.suspend(() => {
        const stored = models.get(model)
        if (!stored?.versions.has(version))
          return refuse(new VersionNotFound({ model, version: String(version) }))
        const pointing = [...stored.aliases]
          .filter(([, target]) => target === version)
          .map(([alias]) => alias)
        if (pointing.length > 0) return refuse(VersionConflict.inUse(model, version, pointing.sort()))
        stored.versions.delete(version)
        return Effect.void
      }),

    setAlias: (model, alias, version) =>
      Effect.suspend(() => {
        const stored = models.get(model)
        if (!stored) return refuse(new ModelNotFound({ model }))
        const state = stored.versions.get(version)?.value.state
        if (state === undefined) return refuse(new VersionNotFound({ model, version: String(version) }))
        if (state !== "ready") return refuse(VersionConflict.notReady(model, version, alias, state))
        stored.aliases.set(alias, version)
        return Effect.void
      }),
    deleteAlias: (model, alias) => Effect.sync(() => models.get(model)?.aliases.delete(alias) ?? false),

    listRoutes: Effect.sync(() => byName().map(toRoutes)),
    findRoutes: (model) => Effect.sync(() => Option.map(Option.fromUndefinedOr(models.get(model)), toRoutes)),
  })
}

/** Every build of this layer starts empty. */
export const layerRegistryStoreMemory: Layer.Layer<RegistryStore> = Layer.sync(RegistryStore, make)
