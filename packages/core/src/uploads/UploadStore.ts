/** The storage contract of unfinished uploads: what was announced, the bytes so far, and how it ended. */
import { Context, type Effect, type Option, Schema, type Stream } from "effect"
import { Description } from "../model/Model.ts"
import { AliasName, ModelName } from "../model/Names.ts"
import type { UploadId } from "../model/UploadSession.ts"
import { Digest, VersionNumber } from "../model/Version.ts"
import { RegistryReason } from "../registry/RegistryError.ts"
import type { UploadError } from "./UploadError.ts"

/** What was announced when an upload began. */
export const UploadPlan = Schema.Struct({
  model: ModelName,
  /** Bytes of the whole file. */
  size: Schema.Int,
  /** The SHA-256 of the whole file, where the sender told it. */
  digest: Schema.NullOr(Digest),
  createModel: Schema.Boolean,
  alias: Schema.NullOr(AliasName),
  force: Schema.Boolean,
  description: Description,
  /** The `Actor`. */
  createdBy: Schema.NullOr(Schema.String),
  /** What the sender wants to be reminded of; means nothing here. */
  metadata: Schema.NullOr(Schema.String),
  createdAt: Schema.DateTimeUtcFromString,
})
export type UploadPlan = typeof UploadPlan.Type

/** How an upload ended, once all its bytes were there. */
export const UploadOutcome = Schema.Union([
  Schema.TaggedStruct("Finished", { version: VersionNumber }),
  Schema.TaggedStruct("Refused", { reason: RegistryReason }),
])
export type UploadOutcome = typeof UploadOutcome.Type

/** An upload as the store has it. */
export interface StoredUpload {
  readonly id: UploadId
  readonly plan: UploadPlan
  /** Bytes that are kept, whatever happens to the process or the machine. */
  readonly offset: number
  /** Milliseconds since the epoch, of when it was begun, went on or ended. */
  readonly lastActivity: number
  readonly outcome: UploadOutcome | undefined
}

/** What the bytes of one request must come to. */
export interface Checksum {
  readonly algorithm: "sha1" | "sha256"
  readonly value: Uint8Array
}

export interface Piece<E, R> {
  /** Where the bytes begin: where the upload ends so far. */
  readonly offset: number
  readonly bytes: Stream.Stream<Uint8Array, E, R>
  /** Bytes that may come. */
  readonly limit: number
  readonly checksum?: Checksum | undefined
}

export class UploadStore extends Context.Service<
  UploadStore,
  {
    readonly insert: (id: UploadId, plan: UploadPlan) => Effect.Effect<void, UploadError>
    readonly find: (id: UploadId) => Effect.Effect<Option.Option<StoredUpload>, UploadError>
    /** Every upload, ended ones too. Of what comes or goes meanwhile it may tell or not. */
    readonly list: Effect.Effect<ReadonlyArray<StoredUpload>, UploadError>
    /**
     * Continues an upload and gives its new offset. Bytes are kept as they arrive, also when the stream fails or the
     * request is interrupted; with a checksum all of them or none. Of two that write at one offset one is
     * `OffsetMismatch`. Fails with `UploadOverrun`, `UploadFragmented`, `ChecksumMismatch`, and with the stream's own errors.
     */
    readonly append: <E, R>(id: UploadId, piece: Piece<E, R>) => Effect.Effect<number, E | UploadError, R>
    /** The bytes so far, in order. */
    readonly read: (id: UploadId) => Stream.Stream<Uint8Array, UploadError>
    /** Says how it ended; its bytes are not needed any more. */
    readonly conclude: (id: UploadId, outcome: UploadOutcome) => Effect.Effect<void, UploadError>
    /** Also when there is none. */
    readonly remove: (id: UploadId) => Effect.Effect<void, UploadError>
  }
>()("@modelforge/core/uploads/UploadStore") {}
