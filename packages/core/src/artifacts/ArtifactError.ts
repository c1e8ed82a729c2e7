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
  reason: Schema.Union([ArtifactTooLarge, ArtifactNotFound, ArtifactStorageFailed]),
}) {
  override get message() {
    return this.reason.message
  }
}
