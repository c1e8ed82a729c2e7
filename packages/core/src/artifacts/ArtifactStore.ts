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
    /**
     * The bytes, in order, held against the digest on the way: fails with `ArtifactCorrupt` before the last of them
     * when they are not those of the digest, and with `ArtifactNotFound`.
     */
    readonly read: (digest: Digest) => Stream.Stream<Uint8Array, ArtifactError>
    /**
     * A local file with the bytes, to be read only. It stays where it is until the scope closes, and was found to hold
     * the bytes of the digest by this process, now or earlier. Fails with `ArtifactNotFound` or `ArtifactCorrupt`.
     */
    readonly file: (digest: Digest) => Effect.Effect<string, ArtifactError, Scope.Scope>
  }
>()("@modelforge/core/artifacts/ArtifactStore") {}
