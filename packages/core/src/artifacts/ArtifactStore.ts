/** The storage contract of artifacts: immutable bytes, found by their SHA-256. */
import { Context, type Effect, type Scope, type Stream } from "effect"
import type { Digest } from "../model/Version.ts"
import type { ArtifactError } from "./ArtifactError.ts"

/** Bytes that arrived whole but belong to the store only once they are committed. */
export interface StagedArtifact {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** A local file with these bytes, for as long as the scope of the staging is open. */
  readonly file: string
  /**
   * Makes the artifact part of the store, durably: after it a power cut loses nothing. The same bytes committed
   * twice, also at once, are one artifact.
   */
  readonly commit: Effect.Effect<void, ArtifactError>
}

export class ArtifactStore extends Context.Service<
  ArtifactStore,
  {
    /**
     * Receives bytes without holding them in memory and computes their digest on the way. Fails with
     * `ArtifactTooLarge` as soon as more than `maxBytes` arrived, and with the stream's own errors. Until
     * `commit` nothing is stored; closing the scope removes what was staged.
     */
    readonly stage: <E, R>(
      bytes: Stream.Stream<Uint8Array, E, R>,
      maxBytes: number,
    ) => Effect.Effect<StagedArtifact, E | ArtifactError, R | Scope.Scope>
    /** The bytes, in order. Fails with `ArtifactNotFound`. */
    readonly read: (digest: Digest) => Stream.Stream<Uint8Array, ArtifactError>
    /** A local file with the bytes, to be read only. Fails with `ArtifactNotFound`. */
    readonly file: (digest: Digest) => Effect.Effect<string, ArtifactError>
  }
>()("@modelforge/core/artifacts/ArtifactStore") {}
