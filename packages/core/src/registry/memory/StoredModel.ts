/** A model as the registry in memory holds it, and as callers see it. */
import type { DateTime } from "effect"
import type { AliasMove } from "../../model/Alias.ts"
import { Model } from "../../model/Model.ts"
import type { ModelConfig } from "../../model/ModelConfig.ts"
import type { AliasName, ModelName } from "../../model/Names.ts"
import { inForceAfter, type TrafficChange } from "../../model/TrafficPolicy.ts"
import type { Version } from "../../model/Version.ts"
import { VersionNumber } from "../../model/Version.ts"
import type { ModelChange } from "../RegistryStore.ts"
import { Routes } from "../RegistryStore.ts"

export interface StoredModel {
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

export interface StoredVersion {
  value: Version
  readonly graph: string
  /** Set when the version settles as ready. */
  readonly alias: AliasName | null
  readonly force: boolean
}

export const emptyModel = (name: ModelName, now: DateTime.Utc): StoredModel => ({
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

export const trafficOf = (stored: StoredModel) => inForceAfter(stored.traffic[0])

export const newestFirst = (stored: StoredModel) =>
  [...stored.versions.values()].map((v) => v.value).sort((a, b) => b.version - a.version)

const isReady = (stored: StoredModel) => [...stored.versions.values()].some((v) => v.value.state === "ready")

export const toModel = (stored: StoredModel) =>
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

export const toRoutes = (stored: StoredModel) =>
  new Routes({
    model: stored.name,
    aliases: Object.fromEntries(stored.aliases),
    traffic: trafficOf(stored),
    config: stored.config,
    versions: newestFirst(stored),
  })
