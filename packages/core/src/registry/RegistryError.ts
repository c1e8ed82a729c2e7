/** Failures of the registry: one wrapper error, tagged reasons inside. What clients see is decided in `api`. */
import { Schema } from "effect"
import { ArtifactTooLarge } from "../artifacts/ArtifactError.ts"
import { SignatureChange } from "../model/compareSignatures.ts"

import { UnusableModel } from "./ModelScanner.ts"

export class ModelNotFound extends Schema.TaggedError<ModelNotFound>()("ModelNotFound", {
  model: Schema.String,
}) {
  override get message() {
    return `There is no model "${this.model}"`
  }
}

export class ModelExists extends Schema.TaggedError<ModelExists>()("ModelExists", { model: Schema.String }) {
  override get message() {
    return `There is a model "${this.model}" already`
  }
}

export class VersionNotFound extends Schema.TaggedError<VersionNotFound>()("VersionNotFound", {
  model: Schema.String,
  /** The number or alias that was asked for; null when none was and no version is ready. */
  version: Schema.NullOr(Schema.String),
}) {
  override get message() {
    return this.version === null
      ? `Model "${this.model}" has no version that is ready`
      : `Model "${this.model}" has no version "${this.version}"`
  }
}

/** The version was committed by a release that kept no graphs. */
export class GraphNotFound extends Schema.TaggedError<GraphNotFound>()("GraphNotFound", {
  model: Schema.String,
  version: Schema.Int,
}) {
  override get message() {
    return (
      `Version ${this.version} of model "${this.model}" was uploaded before graphs were kept: ` +
      "delete it and upload its file again to see its graph"
    )
  }
}

/** The same bytes are a version of this model already. */
export class DuplicateVersion extends Schema.TaggedError<DuplicateVersion>()("DuplicateVersion", {
  model: Schema.String,
  version: Schema.Int,
  digest: Schema.String,
}) {
  override get message() {
    return `These bytes are version ${this.version} of model "${this.model}" already`
  }
}

/** The version can't be deleted, archived or restored, or an alias can't point at it, in the state it is in. */
export class VersionConflict extends Schema.TaggedError<VersionConflict>()("VersionConflict", {
  model: Schema.String,
  version: Schema.Int,
  detail: Schema.String,
}) {
  override get message() {
    return this.detail
  }
  /** A deletion or archiving was refused because of the aliases that point at the version. */
  static inUse(model: string, version: number, aliases: ReadonlyArray<string>) {
    const names = aliases.map((alias) => `"${alias}"`).join(", ")
    return new VersionConflict({
      model,
      version,
      detail: `Version ${version} of model "${model}" is in use: move or delete its aliases first (${names})`,
    })
  }
  /** A deletion or archiving was refused because the traffic policy names the version. */
  static inTraffic(model: string, version: number) {
    return new VersionConflict({
      model,
      version,
      detail: `Version ${version} of model "${model}" is in use: take it out of the traffic policy first`,
    })
  }
  /** A traffic policy was refused because of the state of the version. */
  static notRoutable(model: string, version: number, state: string) {
    return new VersionConflict({
      model,
      version,
      detail: `A traffic policy can only name versions that are ready: version ${version} of model "${model}" is ${state}`,
    })
  }
  /** It can't be loaded or unloaded in the state it is in. */
  static notServable(model: string, version: number, state: string) {
    return new VersionConflict({
      model,
      version,
      detail: `Only a version that is ready can be loaded: version ${version} of model "${model}" is ${state}`,
    })
  }
  /** Archiving or restoring was refused because of the state of the version. */
  static notArchivable(model: string, version: number, state: string) {
    return new VersionConflict({
      model,
      version,
      detail: `Only versions that are ready can be archived, and only archived ones restored: version ${version} of model "${model}" is ${state}`,
    })
  }
  /** An alias was refused because of the state of the version. */
  static notReady(model: string, version: number, alias: string, state: string) {
    return new VersionConflict({
      model,
      version,
      detail: `The alias "${alias}" can only point at a version that is ready: version ${version} of model "${model}" is ${state}`,
    })
  }
}

export class AliasNotFound extends Schema.TaggedError<AliasNotFound>()("AliasNotFound", {
  model: Schema.String,
  alias: Schema.String,
}) {
  override get message() {
    return `Model "${this.model}" has no alias "${this.alias}"`
  }
}

/** Somebody else moved the alias between the look at it and the move. */
export class AliasMoved extends Schema.TaggedError<AliasMoved>()("AliasMoved", {
  model: Schema.String,
  alias: Schema.String,
}) {
  override get message() {
    return `The alias "${this.alias}" of model "${this.model}" was moved by somebody else at the same time: look where it points, and try again`
  }
}

export class NothingToRestore extends Schema.TaggedError<NothingToRestore>()("NothingToRestore", {
  model: Schema.String,
  alias: Schema.String,
}) {
  override get message() {
    return `The alias "${this.alias}" of model "${this.model}" can't be rolled back: none of the versions it pointed at before is ready any more`
  }
}

/** Callers who are content with the version that the alias points at may fail with the other one. */
export class IncompatibleSignature extends Schema.TaggedError<IncompatibleSignature>()(
  "IncompatibleSignature",
  {
    model: Schema.String,
    alias: Schema.String,
    /** The number that the alias points at. */
    from: Schema.Int,
    /** The number it would point at; null for a file that is no version yet. */
    to: Schema.NullOr(Schema.Int),
    /** Those that break callers. */
    differences: Schema.Array(SignatureChange),
  },
) {
  override get message() {
    const what = this.to === null ? "this file" : `version ${this.to}`
    const why = this.differences.map(({ detail }) => detail).join("; ")
    return `The alias "${this.alias}" of model "${this.model}" points at version ${this.from}, whose callers may fail with ${what}: ${why}. To move it all the same, say force=true`
  }
}

export class TrafficNotFound extends Schema.TaggedError<TrafficNotFound>()("TrafficNotFound", {
  model: Schema.String,
}) {
  override get message() {
    return `Model "${this.model}" has no traffic policy`
  }
}

/** The traffic policy does not allow what was asked for, or was changed at the same time. */
export class TrafficConflict extends Schema.TaggedError<TrafficConflict>()("TrafficConflict", {
  model: Schema.String,
  detail: Schema.String,
}) {
  override get message() {
    return this.detail
  }
  /** The alias `production` says nothing of where requests go while there is a split. */
  static splitInForce(model: string) {
    return new TrafficConflict({
      model,
      detail: `Requests to model "${model}" are split by its traffic policy, so moving "production" alone would not do what it says: remove the policy first, or say clearTraffic=true to remove it with the move`,
    })
  }
  /** The deletion of an alias was refused because the policy names it. */
  static namesAlias(model: string, alias: string) {
    return new TrafficConflict({
      model,
      detail: `The alias "${alias}" of model "${model}" is in use: take it out of the traffic policy first`,
    })
  }
  /** Somebody else changed the policy between the look at it and the change. */
  static changed(model: string) {
    return new TrafficConflict({
      model,
      detail: `The traffic policy of model "${model}" was changed by somebody else at the same time: look at it, and try again`,
    })
  }
}

/** Callers who are content with one version may fail with another that requests would be spread to. */
export class IncompatibleSplit extends Schema.TaggedError<IncompatibleSplit>()("IncompatibleSplit", {
  model: Schema.String,
  /** Where requests went, or most of them would go. */
  from: Schema.Int,
  to: Schema.Int,
  /** Those that break callers. */
  differences: Schema.Array(SignatureChange),
}) {
  override get message() {
    const why = this.differences.map(({ detail }) => detail).join("; ")
    return `Callers of version ${this.from} of model "${this.model}" may fail with version ${this.to}: ${why}. To split their requests all the same, say force=true`
  }
}

/** What was to be changed is not in the state that the caller knows. */
export class RevisionMismatch extends Schema.TaggedError<RevisionMismatch>()("RevisionMismatch", {
  /** For people: `model "digits"`. */
  what: Schema.String,
  /** `revisionOf` what is there; null when it is not. */
  present: Schema.NullOr(Schema.String),
  /** It was to be made, not changed. */
  wantedNone: Schema.Boolean,
}) {
  override get message() {
    if (this.present === null)
      return `There is no ${this.what}, and the request is to change one that is known`
    return this.wantedNone
      ? `There is a ${this.what} already, and the request is to make it only if there is none`
      : `The ${this.what} was changed since it was read: read it again, and repeat the change on what it is now`
  }
}

/** A model's config has a sample for the warm-up that no ready version takes. */
export class UnusableSample extends Schema.TaggedError<UnusableSample>()("UnusableSample", {
  model: Schema.String,
  /** In the config. */
  path: Schema.String,
  /** The newest ready version. */
  version: Schema.Int,
  /** What it does not take. */
  issue: Schema.String,
}) {
  /** Without the path. */
  get detail() {
    return `${this.issue} (of version ${this.version}; no ready version takes this sample)`
  }
  override get message() {
    return `${this.path}: ${this.detail}`
  }
}

/** The bytes that arrived are not those the sender announced. */
export class DigestMismatch extends Schema.TaggedError<DigestMismatch>()("DigestMismatch", {
  expected: Schema.String,
  actual: Schema.String,
}) {
  override get message() {
    return `The bytes received have the SHA-256 ${this.actual}, not the announced ${this.expected}: send the file again`
  }
}

/** The sender went away, or the transfer broke, before the file was complete. */
export class UploadInterrupted extends Schema.TaggedError<UploadInterrupted>()("UploadInterrupted", {
  detail: Schema.String,
}) {
  override get message() {
    return `The upload ended before the file was complete: ${this.detail}`
  }
}

/** The database or the artifact storage did not answer as it should; trying again later may succeed. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  operation: Schema.String,
  /** For the operator's log only. */
  cause: Schema.Defect(),
}) {
  override get message() {
    return `The registry's storage failed in "${this.operation}"`
  }
}

export const RegistryReason = Schema.Union([
  ModelNotFound,
  ModelExists,
  VersionNotFound,
  GraphNotFound,
  DuplicateVersion,
  VersionConflict,
  AliasNotFound,
  AliasMoved,
  NothingToRestore,
  IncompatibleSignature,
  TrafficNotFound,
  TrafficConflict,
  IncompatibleSplit,
  RevisionMismatch,
  UnusableSample,
  DigestMismatch,
  ArtifactTooLarge,
  UploadInterrupted,
  UnusableModel,
  StoreUnavailable,
])
export type RegistryReason = typeof RegistryReason.Type

export class RegistryError extends Schema.TaggedError<RegistryError>()("RegistryError", {
  reason: RegistryReason,
}) {
  override get message() {
    return this.reason.message
  }
}
