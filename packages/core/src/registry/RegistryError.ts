/** Failures of the registry: one wrapper error, tagged reasons inside. What clients see is decided in `api`. */
import { Schema } from "effect"
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
  /** The number or alias that was asked for. */
  version: Schema.String,
}) {
  override get message() {
    return `Model "${this.model}" has no version "${this.version}"`
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

/** The version can't be deleted, or an alias can't point at it, in the state it is in. */
export class VersionConflict extends Schema.TaggedError<VersionConflict>()("VersionConflict", {
  model: Schema.String,
  version: Schema.Int,
  detail: Schema.String,
}) {
  override get message() {
    return this.detail
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

export class ArtifactTooLarge extends Schema.TaggedError<ArtifactTooLarge>()("ArtifactTooLarge", {
  limit: Schema.Int,
}) {
  override get message() {
    return `The file is larger than the ${this.limit} bytes this server takes`
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

/** A page was asked for with a cursor that this server never gave. */
export class InvalidCursor extends Schema.TaggedError<InvalidCursor>()("InvalidCursor", {}) {
  override get message() {
    return "The cursor is not one this list gave: start again without it"
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
  DuplicateVersion,
  VersionConflict,
  DigestMismatch,
  ArtifactTooLarge,
  UploadInterrupted,
  UnusableModel,
  InvalidCursor,
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
