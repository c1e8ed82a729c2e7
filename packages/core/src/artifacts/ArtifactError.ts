/** Failures of artifact storage: one wrapper error, tagged reasons inside. */
import { Schema } from "effect"

export class ArtifactTooLarge extends Schema.TaggedError<ArtifactTooLarge>()("ArtifactTooLarge", {
  /** Bytes. */
  limit: Schema.Int,
}) {
  override get message() {
    return `The file is larger than the ${this.limit} bytes this server takes`
  }
}

export class ArtifactNotFound extends Schema.TaggedError<ArtifactNotFound>()("ArtifactNotFound", {
  digest: Schema.String,
}) {
  override get message() {
    return `There is no artifact ${this.digest}`
  }
}

/** Its bytes are there, but they are not those it was made of. */
export class ArtifactCorrupt extends Schema.TaggedError<ArtifactCorrupt>()("ArtifactCorrupt", {
  digest: Schema.String,
}) {
  override get message() {
    return `The stored bytes of artifact ${this.digest} are damaged: put a good copy in their place, or delete its versions and upload the file again`
  }
}

/** The storage can't be used as it is set up; trying again will not help. */
export class ArtifactStorageUnusable extends Schema.TaggedError<ArtifactStorageUnusable>()(
  "ArtifactStorageUnusable",
  {
    /** For the operator: what is wrong and what to do. */
    detail: Schema.String,
  },
) {
  override get message() {
    return `The artifact storage can't be used: ${this.detail}`
  }
}

/** The storage did not answer as it should; trying again later may succeed. */
export class ArtifactStorageFailed extends Schema.TaggedError<ArtifactStorageFailed>()(
  "ArtifactStorageFailed",
  {
    operation: Schema.String,
    /** For the operator's log only. */
    cause: Schema.Defect(),
  },
) {
  override get message() {
    return `The artifact storage failed in "${this.operation}"`
  }
}

export class ArtifactError extends Schema.TaggedError<ArtifactError>()("ArtifactError", {
  reason: Schema.Union([
    ArtifactTooLarge,
    ArtifactNotFound,
    ArtifactCorrupt,
    ArtifactStorageUnusable,
    ArtifactStorageFailed,
  ]),
}) {
  override get message() {
    return this.reason.message
  }
}
