/** Artifacts in a folder of this machine, which may serve several processes. */
import { Clock, DateTime, Effect, FileSystem, Layer, Option, type PlatformError, Stream } from "effect"
import type { Digest } from "../model/Version.ts"
import { ArtifactError, ArtifactNotFound } from "./ArtifactError.ts"
import { failedIn, isAlreadyThere, isNotFound, openArtifactFolder } from "./ArtifactFolder.ts"
import { ArtifactStore, type Removal } from "./ArtifactStore.ts"
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

  const remove = Effect.fn("ArtifactStore.remove")(
    function* <E, R>(digest: Digest, { committedBefore, isNeeded }: Removal<E, R>) {
      const file = fileOf(digest)
      const aside = yield* folder.temporaryName
      const putBack = fs.link(aside, file).pipe(
        // By somebody who committed it meanwhile.
        Effect.catchIf(isAlreadyThere, () => Effect.void),
        Effect.mapError(failedIn("remove")),
      )
      const taken = yield* fs.rename(file, aside).pipe(
        Effect.as(true),
        Effect.catchIf(isNotFound, () => Effect.succeed(false)),
        Effect.mapError(failedIn("remove")),
      )
      if (!taken) return false
      const isKept = Effect.gen(function* () {
        const { mtime } = yield* Effect.mapError(fs.stat(aside), failedIn("remove"))
        const isOld = Option.exists(mtime, (time) => time.getTime() < DateTime.toEpochMillis(committedBefore))
        return !isOld || (yield* Effect.interruptible(isNeeded))
      })
      if (yield* Effect.onError(isKept, () => Effect.ignore(putBack))) {
        yield* putBack
        return false
      }
      yield* verification.forget(digest)
      return true
    },
    Effect.scoped,
    Effect.uninterruptible,
  )

  return ArtifactStore.of({
    remove,
    list: folder.entries.pipe(
      Stream.map(({ digest, size, modifiedAt }) => ({
        digest,
        size,
        committedAt: DateTime.fromDateUnsafe(modifiedAt),
      })),
      Stream.mapError(failedIn("list")),
    ),
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
