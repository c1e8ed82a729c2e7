/** The storage contract of artifacts: immutable bytes, found by their SHA-256. */
import { Context, type DateTime, type Effect, type Scope, type Stream } from "effect"
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
   * twice, also at once, are one artifact, which counts as committed now. A commit that is repeated puts back what was
   * removed since.
   */
  readonly commit: Effect.Effect<void, ArtifactError>
}

/** An artifact as a list tells of it. */
export interface StoredArtifact {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** When it was committed last, to within an hour. */
  readonly committedAt: DateTime.Utc
}

export interface Removal<E, R> {
  /** Only what was committed last before this moment is removed. */
  readonly committedBefore: DateTime.Utc
  /** Asked once no commit finds the artifact any more. */
  readonly isNeeded: Effect.Effect<boolean, E, R>
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
    /** Every artifact, in any order. Of what is committed or removed meanwhile it may tell or not. */
    readonly list: Stream.Stream<StoredArtifact, ArtifactError>
    /**
     * Removes an artifact, and puts it back when it turns out to be needed, or when that can't be found out. Who
     * commits, refers to the artifact, and commits again therefore either is found by `isNeeded` or finds the artifact
     * gone. True when it was removed.
     */
    readonly remove: <E, R>(
      digest: Digest,
      removal: Removal<E, R>,
    ) => Effect.Effect<boolean, E | ArtifactError, R>
  }
>()("@modelforge/core/artifacts/ArtifactStore") {}
