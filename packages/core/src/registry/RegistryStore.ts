/** The storage contract of the registry: what a database adapter implements. */
import { Context, type DateTime, type Effect, type Option, Schema } from "effect"
import type { AliasMove } from "../model/Alias.ts"
import { Model, type ModelDraft, type ModelState } from "../model/Model.ts"
import type { ModelConfig } from "../model/ModelConfig.ts"
import { type AliasName, ModelName } from "../model/Names.ts"
import { Signature } from "../model/Signature.ts"
import { Traffic, type TrafficChange, type TrafficPolicy } from "../model/TrafficPolicy.ts"
import { Digest, type ModelSummary, type Version, VersionNumber, VersionState } from "../model/Version.ts"
import type { Expectation } from "./Expectation.ts"
import type { RegistryError, RegistryReason } from "./RegistryError.ts"

/** A stretch of a list. `after` is the last item's key of the page before. */
export interface Window<Key> {
  /** At most this many items. */
  readonly limit: number
  readonly after?: Key | undefined
}

/** All conditions must hold. */
export interface ModelFilter {
  /** Part of the name or of the description, any case. */
  readonly search?: string | undefined
  readonly tag?: string | undefined
  /** A label as `key:value`. */
  readonly label?: string | undefined
  readonly state?: ModelState | undefined
  /** The only models that are looked at. Default: all. */
  readonly among?: ReadonlyArray<ModelName> | undefined
}

/** A stretch of the versions of a model, of those in one state when it is given. */
export interface VersionWindow extends Window<VersionNumber> {
  readonly state?: VersionState | undefined
}

/** What is to be remembered of a move, and what it depends on. */
export interface MoveOptions {
  readonly reason?: string | undefined
  /** Asked, before the alias leaves a version for another, why it should not. */
  readonly guard?: ((from: Version, to: Version) => RegistryReason | undefined) | undefined
  /** The number of the last move that the caller knows, 0 for none: after any other the alias stays where it is. */
  readonly after?: number | undefined
  /** The earlier move whose target is restored. */
  readonly restores?: number | undefined
  /** Removes the traffic policy with a move of `production`, which is refused otherwise. */
  readonly clearTraffic?: boolean | undefined
  /** Of the `Alias`. */
  readonly expected?: Expectation | undefined
}

/** What is to be remembered of a change of the traffic policy, and what it depends on. */
export interface TrafficOptions {
  readonly reason?: string | undefined
  /**
   * Asked why requests should not be spread from one version to another: from that which `production` points at, or
   * else from the heaviest of the split, to each that the split names.
   */
  readonly guard?: ((from: Version, to: Version) => RegistryReason | undefined) | undefined
  /** The revision that the caller knows: after any other the policy stays as it is. */
  readonly after?: number | undefined
  /** Of the `Traffic`. */
  readonly expected?: Expectation | undefined
}

/** Changes of a model's traffic policy that are kept; the oldest are forgotten. */
export const maxTrafficChanges = 1000

/** Moves kept of one alias; the oldest are forgotten. */
export const maxMoves = 1000

/** Members that are absent stay as they are. */
export type ModelChange = Omit<ModelDraft, "name">

/** A version as it is committed: its number is given by the store. */
export interface VersionDraft {
  readonly model: ModelName
  readonly digest: Digest
  readonly size: number
  readonly state: "validating" | "ready"
  readonly signature: Signature
  readonly summary: ModelSummary
  /** A `ModelGraph` as JSON. It is only ever handed on, so nobody decodes it. */
  readonly graph: string
  readonly description: string
  readonly createdBy: string | null
  /** Makes the model too when there is none. */
  readonly createModel: boolean
  /** Set now when `ready`, else when the version settles as `ready`. */
  readonly alias: AliasName | null
  /** Sets the alias even if its callers may fail with this version. */
  readonly force: boolean
}

/** How the validation of a version ended. */
export type Verdict = { readonly state: "ready" } | { readonly state: "invalid"; readonly reason: string }

/** What routing needs to know of a model. */
export class Routes extends Schema.Class<Routes>("@modelforge/core/registry/Routes")({
  model: ModelName,
  aliases: Model.fields.aliases,
  traffic: Schema.NullOr(Traffic),
  config: Model.fields.config,
  /** Newest first. */
  versions: Schema.Array(
    Schema.Struct({
      version: VersionNumber,
      digest: Digest,
      size: Schema.Int,
      state: VersionState,
      reason: Schema.NullOr(Schema.String),
      signature: Signature,
    }),
  ),
}) {}

/**
 * Every operation is atomic: it happens whole or not at all, also when the process is killed. What it changed is in the
 * log of events and in the audit log, in the name of the `Actor` (a version's commit and verdict in that of `createdBy`), and
 * announced by `RegistryChanges`; what changed nothing is not. All may fail with `StoreUnavailable`; the other reasons are named at
 * each.
 */
export class RegistryStore extends Context.Service<
  RegistryStore,
  {
    /** Fails with `ModelExists`. */
    readonly insertModel: (draft: ModelDraft) => Effect.Effect<Model, RegistryError>
    readonly findModel: (name: ModelName) => Effect.Effect<Option.Option<Model>, RegistryError>
    /** By name, ascending. */
    readonly listModels: (
      filter: ModelFilter,
      window: Window<ModelName>,
    ) => Effect.Effect<ReadonlyArray<Model>, RegistryError>
    /**
     * Sets `updatedAt`, as `setConfig` does and nothing else. Fails with `ModelNotFound`, or `RevisionMismatch` when the
     * `Model` is not the expected one.
     */
    readonly updateModel: (
      name: ModelName,
      change: ModelChange,
      expected?: Expectation,
    ) => Effect.Effect<Model, RegistryError>
    /** Replaces the whole config. Fails with `ModelNotFound`, or `RevisionMismatch` of the `ModelConfig`. */
    readonly setConfig: (
      name: ModelName,
      config: ModelConfig,
      expected?: Expectation,
    ) => Effect.Effect<Model, RegistryError>
    /**
     * Deletes a model with its versions and aliases; one of the same name is a new model. Fails with `ModelNotFound`, or
     * `RevisionMismatch` of the `Model`.
     */
    readonly deleteModel: (name: ModelName, expected?: Expectation) => Effect.Effect<void, RegistryError>

    /**
     * Gives the next number and commits the version. Numbers of one model have no gaps but those of deleted
     * versions and are never given twice. Fails with `ModelNotFound` or `DuplicateVersion`, or, when an alias is to be
     * set now, with `IncompatibleSignature` unless forced (`incompatibleMove`), or with `TrafficConflict` for `production`
     * while a traffic policy is in force.
     */
    readonly insertVersion: (draft: VersionDraft) => Effect.Effect<Version, RegistryError>
    readonly findVersion: (
      model: ModelName,
      version: VersionNumber,
    ) => Effect.Effect<Option.Option<Version>, RegistryError>
    /** The version that these bytes are, if they are one of this model. */
    readonly findDigest: (
      model: ModelName,
      digest: Digest,
    ) => Effect.Effect<Option.Option<VersionNumber>, RegistryError>
    /** The graph that was committed with the version; none where it was committed by a release that had no graphs. */
    readonly findGraph: (
      model: ModelName,
      version: VersionNumber,
    ) => Effect.Effect<Option.Option<string>, RegistryError>
    /**
     * Those of the digests that versions of any model refer to, or referred to until `since` or later: when the last such
     * version was deleted is kept, also across restarts. At most 1000 are asked for at once.
     */
    readonly findReferred: (
      digests: ReadonlyArray<Digest>,
      since: DateTime.Utc,
    ) => Effect.Effect<ReadonlySet<Digest>, RegistryError>
    /** Forgets which digests versions referred to until before this moment. */
    readonly forgetReferred: (before: DateTime.Utc) => Effect.Effect<void, RegistryError>
    /** Newest first; `after` is a number. Empty for an unknown model. */
    readonly listVersions: (
      model: ModelName,
      window: VersionWindow,
    ) => Effect.Effect<ReadonlyArray<Version>, RegistryError>
    /** Every version still `validating`, of all models. */
    readonly listValidating: Effect.Effect<ReadonlyArray<Version>, RegistryError>
    /**
     * Ends the validation and sets the alias asked for, but not where `insertVersion` would have refused to. Does nothing
     * to a version that is not `validating`.
     */
    readonly settleVersion: (
      model: ModelName,
      version: VersionNumber,
      verdict: Verdict,
    ) => Effect.Effect<void, RegistryError>
    /** Fails with `VersionNotFound`, or `RevisionMismatch` of the `Version`. */
    readonly describeVersion: (
      model: ModelName,
      version: VersionNumber,
      description: string,
      expected?: Expectation,
    ) => Effect.Effect<Version, RegistryError>
    /**
     * From `ready` to `archived`, or back; does nothing to a version that is there already. Fails with
     * `VersionNotFound`, or `VersionConflict` in another state, or while an alias points at what is to be archived or the
     * traffic policy names it.
     */
    readonly setArchived: (
      model: ModelName,
      version: VersionNumber,
      archived: boolean,
    ) => Effect.Effect<Version, RegistryError>
    /**
     * Fails with `VersionNotFound`, `VersionConflict` while an alias or the traffic policy points at it, or
     * `RevisionMismatch` of the `Version`.
     */
    readonly deleteVersion: (
      model: ModelName,
      version: VersionNumber,
      expected?: Expectation,
    ) => Effect.Effect<void, RegistryError>

    /**
     * Points the alias at a version that is `ready`, and gives its newest move, which is no new one when it pointed
     * there already. Fails with `ModelNotFound`, `VersionNotFound`, `VersionConflict` when the version is in another
     * state, `AliasMoved`, `RevisionMismatch`, or with what the guard gave; for `production` also with `TrafficConflict` while a traffic
     * policy is in force, unless that is to be cleared.
     */
    readonly setAlias: (
      model: ModelName,
      alias: AliasName,
      version: VersionNumber,
      options?: MoveOptions,
    ) => Effect.Effect<AliasMove, RegistryError>
    /**
     * Newest first; `after` is the number of a move. Empty for an alias that never was; a deleted one has a history,
     * unless its model was deleted too.
     */
    readonly listMoves: (
      model: ModelName,
      alias: AliasName,
      window: Window<number>,
    ) => Effect.Effect<ReadonlyArray<AliasMove>, RegistryError>
    /**
     * False when there was no such alias. Fails with `TrafficConflict` while the traffic policy names it, or
     * `RevisionMismatch` of the `Alias`.
     */
    readonly deleteAlias: (
      model: ModelName,
      alias: AliasName,
      expected?: Expectation,
    ) => Effect.Effect<boolean, RegistryError>

    /**
     * Replaces the traffic policy, or removes it, and gives the newest change, which is no new one when the policy was
     * that already. Fails with `ModelNotFound`, `VersionNotFound` or `VersionConflict` when it names what is not there
     * or not ready, `TrafficNotFound` when there is nothing to remove, `TrafficConflict` when `after` is not the present
     * revision, `RevisionMismatch`, or with what the guard gave.
     */
    readonly setTraffic: (
      model: ModelName,
      policy: TrafficPolicy | null,
      options?: TrafficOptions,
    ) => Effect.Effect<TrafficChange, RegistryError>
    /** Newest first; `after` is a revision. Empty for a model that never had a policy. */
    readonly listTrafficChanges: (
      model: ModelName,
      window: Window<number>,
    ) => Effect.Effect<ReadonlyArray<TrafficChange>, RegistryError>

    /** The routes of every model, as of one moment; by name, ascending. */
    readonly listRoutes: Effect.Effect<ReadonlyArray<Routes>, RegistryError>
    /** The routes of one model; none when it does not exist. */
    readonly findRoutes: (model: ModelName) => Effect.Effect<Option.Option<Routes>, RegistryError>
  }
>()("@modelforge/core/registry/RegistryStore") {}
