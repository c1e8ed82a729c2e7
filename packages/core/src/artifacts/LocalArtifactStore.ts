/** Artifacts in a folder of this machine, which may serve several processes. */
import { Clock, Effect, FileSystem, Layer, type PlatformError, Stream } from "effect"
import type { Digest } from "../model/Version.ts"
import { ArtifactError, ArtifactNotFound } from "./ArtifactError.ts"
import { failedIn, isNotFound, openArtifactFolder } from "./ArtifactFolder.ts"
import { ArtifactStore } from "./ArtifactStore.ts"
import { corrupt, makeVerification } from "./Verification.ts"

const make = Effect.fnUntraced(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const verification = yield* makeVerification
  const folder = yield* Effect.mapError(openArtifactFolder(directory), failedIn("open"))
  const { fileOf, shards, shardOf } = folder

  /** Bytes are durable once the file was synced, a new name once the folder that holds it was. */
  const sync = (of: string) =>
    Effect.scoped(Effect.flatMap(fs.open(of, { flag: "r" }), (handle) => handle.sync))

  yield* Effect.mapError(sync(folder.directory), failedIn("open"))

  const commit = Effect.fnUntraced(
    function* (staged: string, digest: Digest) {
      const now = new Date(yield* Clock.currentTimeMillis)
      // Its age counts from here, also when the same bytes were there before.
      yield* fs.utimes(staged, now, now)
      yield* sync(staged)
      yield* folder.place(staged, digest)
      yield* sync(shards)
      yield* sync(shardOf(digest))
      yield* verification.remember(fileOf(digest), digest)
    },
    Effect.mapError(failedIn("commit")),
    Effect.uninterruptible,
  )

  const notFoundOr = (operation: string, digest: Digest) => (error: PlatformError.PlatformError) =>
    isNotFound(error)
      ? new ArtifactError({ reason: new ArtifactNotFound({ digest }) })
      : failedIn(operation)(error)

  return ArtifactStore.of({
    stage: Effect.fn("ArtifactStore.stage")(function* (bytes, maxBytes) {
      const staged = yield* folder.stage(bytes, maxBytes)
      return { ...staged, commit: commit(staged.file, staged.digest) }
    }),
    file: Effect.fn("ArtifactStore.file")(function* (digest) {
      const file = fileOf(digest)
      const intact = yield* Effect.mapError(verification.isIntact(file, digest), notFoundOr("file", digest))
      return intact ? file : yield* corrupt(digest)
    }),
    read: (digest) =>
      Stream.mapError(verification.read(fileOf(digest), digest), (error) =>
        error._tag === "ArtifactError" ? error : notFoundOr("read", digest)(error),
      ),
  })
})

/** Keeps artifacts in `directory`, made when it does not exist. One folder may serve several processes. */
export const layerArtifactStoreLocal = (directory: string) => Layer.effect(ArtifactStore, make(directory))

/** Keeps artifacts in a temporary folder that goes with the layer's scope. For tests and trials. */
export const layerArtifactStoreTemporary = Layer.effect(
  ArtifactStore,
  Effect.flatMap(
    Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped({ prefix: "modelforge-" })),
    make,
  ),
)
