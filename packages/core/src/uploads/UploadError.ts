/** Failures of resumable uploads: one wrapper error, tagged reasons inside. What a finished file fails with is the registry's. */
import { Schema } from "effect"

/** It was never begun here, was aborted, or nobody went on with it for too long. */
export class UploadNotFound extends Schema.TaggedError<UploadNotFound>()("UploadNotFound", {
  upload: Schema.String,
}) {
  override get message() {
    return `This server has no upload "${this.upload}" for this model: it was aborted, or waited for too long. Begin a new one`
  }
}

/** Another request writes to it, or it is being finished. */
export class UploadLocked extends Schema.TaggedError<UploadLocked>()("UploadLocked", {
  upload: Schema.String,
}) {
  override get message() {
    return `Another request is at work on the upload "${this.upload}": ask for its offset and try again in a moment`
  }
}

/** The bytes do not continue what is there. */
export class OffsetMismatch extends Schema.TaggedError<OffsetMismatch>()("OffsetMismatch", {
  /** Where the bytes begin that were sent. */
  sent: Schema.Int,
  /** Where they have to begin. */
  offset: Schema.Int,
}) {
  override get message() {
    return `The bytes begin at ${this.sent}, but the upload goes on at ${this.offset}: send them from there`
  }
}

/** The bytes of a request are not those of the checksum sent with them; none of them was kept. */
export class ChecksumMismatch extends Schema.TaggedError<ChecksumMismatch>()("ChecksumMismatch", {
  algorithm: Schema.String,
}) {
  override get message() {
    return `The bytes received do not have the ${this.algorithm} checksum sent with them, and were not kept: send them again`
  }
}

/** A request brought more bytes than were announced when the upload began. */
export class UploadOverrun extends Schema.TaggedError<UploadOverrun>()("UploadOverrun", {
  /** Bytes announced. */
  size: Schema.Int,
}) {
  override get message() {
    return `The upload was announced with ${this.size} bytes, and there are more: begin a new one with the right size`
  }
}

/** It arrives in so many pieces that keeping them would cost more than their bytes. */
export class UploadFragmented extends Schema.TaggedError<UploadFragmented>()("UploadFragmented", {
  limit: Schema.Int,
}) {
  override get message() {
    return `The upload has arrived in ${this.limit} pieces: begin a new one and send more bytes with each request`
  }
}

/** There is no room for another unfinished upload. */
export class TooManyUploads extends Schema.TaggedError<TooManyUploads>()("TooManyUploads", {
  uploads: Schema.Int,
  bytes: Schema.Int,
}) {
  override get message() {
    return `There are ${this.uploads} unfinished uploads with ${this.bytes} bytes announced, and no room for this one: finish or abort others, or try again later`
  }
}

/** The folder of unfinished uploads did not answer as it should; trying again later may succeed. */
export class UploadStorageFailed extends Schema.TaggedError<UploadStorageFailed>()("UploadStorageFailed", {
  operation: Schema.String,
  /** For the operator's log only. */
  cause: Schema.Defect(),
}) {
  override get message() {
    return `The storage of unfinished uploads failed in "${this.operation}"`
  }
}

export const UploadReason = Schema.Union([
  UploadNotFound,
  UploadLocked,
  OffsetMismatch,
  ChecksumMismatch,
  UploadOverrun,
  UploadFragmented,
  TooManyUploads,
  UploadStorageFailed,
])
export type UploadReason = typeof UploadReason.Type

export class UploadError extends Schema.TaggedError<UploadError>()("UploadError", { reason: UploadReason }) {
  override get message() {
    return this.reason.message
  }
}
