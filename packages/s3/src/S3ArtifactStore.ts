/**
 * Artifacts as objects of S3-compatible storage, `<prefix>/sha256/<first two digits>/<digest>`. Bytes arrive in a folder
 * of this machine, and what is used is cached there.
 */
import { randomUUID } from "node:crypto"
import {
  ArtifactError,
  ArtifactNotFound,
  ArtifactStore,
  Digest,
  failedIn,
  makeArtifactCache,
  type Removal,
  type StagedFile,
  type StoredArtifact,
} from "@modelforge/core"
import { Clock, DateTime, Effect, FileSystem, Layer, Option, Stream } from "effect"
import { isS3Failure, openBucket, type S3Failure, storageFailed } from "./S3Bucket.ts"
import type { S3ClientOptions } from "./S3ClientOptions.ts"
import { keysOf, type S3Location } from "./S3Location.ts"
import { copyObject, createObject, deleteObject, listObjects, replaceObject } from "./S3Object.ts"

export interface S3ArtifactStoreOptions extends S3Location, S3ClientOptions {
  /** Folder of this machine for files that arrive or are used; several processes may share it. */
  readonly cacheDirectory: string
  /** What it may hold of files that are not in use. Default: 10 GiB. */
  readonly cacheBytes?: number | undefined
}

const defaultCacheBytes = 10 * 2 ** 30

/** An object of this age is committed anew by whoever has its bytes, so that it counts as young again. */
const renewedAfterMs = 3_600_000

/** An object that was set aside so long ago was left by a server that was killed. */
const abandonedAfterMs = 24 * 3_600_000

const digestOf = (key: string) =>
  Option.getOrUndefined(Digest.makeOption(key.slice(key.lastIndexOf("/") + 1)))

const isMissing = ({ status, code }: S3Failure) => status === 404 || code === "NoSuchKey"

const make = Effect.fnUntraced(function* (options: S3ArtifactStoreOptions) {
  const fs = yield* FileSystem.FileSystem
  const request = yield* openBucket(options.bucket, options)
  const keys = keysOf(options)
  const targetOf = (digest: Digest) => ({ Bucket: options.bucket, Key: keys.artifact(digest) })

  const notFoundOr = (digest: Digest) => (failure: S3Failure) =>
    isMissing(failure)
      ? new ArtifactError({ reason: new ArtifactNotFound({ digest }) })
      : storageFailed(failure)

  const fetch = Effect.fnUntraced(function* (digest: Digest) {
    const { Body, ContentLength } = yield* Effect.mapError(
      request("fetch", (client, sdk, sending) =>
        client.send(new sdk.GetObjectCommand(targetOf(digest)), sending),
      ),
      notFoundOr(digest),
    )
    if (Body === undefined || ContentLength === undefined)
      return yield* failedIn("fetch")(new Error("S3 answered without a body or its length"))
    const readable = Body as NodeJS.ReadableStream & { readonly destroy: () => void }
    yield* Effect.addFinalizer(() => Effect.sync(() => readable.destroy()))
    const bytes = Stream.fromAsyncIterable(readable as AsyncIterable<Uint8Array>, failedIn("fetch"))
    return { size: ContentLength, bytes }
  })

  const cache = yield* makeArtifactCache({
    directory: options.cacheDirectory,
    maxBytes: options.cacheBytes ?? defaultCacheBytes,
    fetch,
  })

  /** What there is of an object, if there is one. */
  const look = Effect.fnUntraced(
    function* (digest: Digest) {
      const { ContentLength, LastModified } = yield* request("commit", (client, sdk, sending) =>
        client.send(new sdk.HeadObjectCommand(targetOf(digest)), sending),
      )
      return Option.some({ size: ContentLength, committedAt: LastModified?.getTime() ?? 0 })
    },
    Effect.catchIf(isMissing, () => Effect.succeedNone),
  )

  const commit = Effect.fn("ArtifactStore.commit")(
    function* (staged: StagedFile) {
      const { digest, size } = staged
      const now = yield* Clock.currentTimeMillis
      const found = yield* look(digest)
      if (Option.isNone(found)) yield* createObject(request, targetOf(digest), staged)
      // Writing it again renews its age, and mends it if its bytes are damaged.
      else if (found.value.size !== size || now - found.value.committedAt > renewedAfterMs)
        yield* replaceObject(request, targetOf(digest), staged)
      yield* Effect.catch(cache.adopt(staged), (error) =>
        Effect.logWarning("An upload could not be cached and will be fetched when it is used", error),
      )
    },
    Effect.catchTag("S3Failure", (failure) => Effect.fail(storageFailed(failure))),
    Effect.provideService(FileSystem.FileSystem, fs),
  )

  /**
   * S3 renames nothing: the object is copied aside, under a name of its own, for several servers may try the same. A
   * server that is killed leaves the copy, which the next to start removes.
   */
  const remove = Effect.fn("ArtifactStore.remove")(
    function* <E, R>(digest: Digest, { committedBefore, isNeeded }: Removal<E, R>) {
      const found = yield* look(digest)
      const deadline = DateTime.toEpochMillis(committedBefore)
      if (Option.isNone(found) || found.value.committedAt >= deadline) return false
      const aside = { Bucket: options.bucket, Key: `${keys.removed}${digest}-${randomUUID()}` }
      const taken = yield* copyObject(request, targetOf(digest), aside).pipe(
        Effect.as(true),
        Effect.catchIf(isMissing, () => Effect.succeed(false)),
      )
      if (!taken) return false
      const putBack = copyObject(request, aside, targetOf(digest))
      const isKept = Effect.andThen(
        deleteObject(request, targetOf(digest)),
        Effect.interruptible(isNeeded),
      ).pipe(Effect.onError(() => Effect.ignore(putBack)))
      const kept = yield* isKept
      if (kept) yield* putBack
      yield* deleteObject(request, aside)
      if (!kept) yield* cache.drop(digest)
      return !kept
    },
    Effect.catchIf(isS3Failure, (failure) => Effect.fail(storageFailed(failure))),
    Effect.uninterruptible,
  )

  const removeAbandoned = Effect.gen(function* () {
    const deadline = (yield* Clock.currentTimeMillis) - abandonedAfterMs
    yield* listObjects(request, options.bucket, keys.removed).pipe(
      Stream.filter(({ modifiedAt }) => DateTime.toEpochMillis(modifiedAt) < deadline),
      Stream.runForEach(({ key }) => deleteObject(request, { Bucket: options.bucket, Key: key })),
    )
  })
  yield* Effect.forkScoped(Effect.ignore(removeAbandoned))

  return ArtifactStore.of({
    stage: Effect.fn("ArtifactStore.stage")(function* (bytes, maxBytes) {
      const staged = yield* cache.stage(bytes, maxBytes)
      return { ...staged, commit: commit(staged) }
    }),
    file: Effect.fn("ArtifactStore.file")(cache.file),
    read: cache.read,
    list: Stream.mapError(listObjects(request, options.bucket, keys.artifacts), storageFailed).pipe(
      Stream.map(({ key, size, modifiedAt }) => ({ digest: digestOf(key), size, committedAt: modifiedAt })),
      Stream.filter((listed): listed is StoredArtifact => listed.digest !== undefined),
    ),
    remove,
  })
})

/**
 * Keeps artifacts in a bucket that exists. Needs the package `@aws-sdk/client-s3`. Fails with
 * `ArtifactStorageUnusable` when the package, the bucket, the credentials or the region are missing or refused.
 */
export const layerArtifactStoreS3 = (options: S3ArtifactStoreOptions) =>
  Layer.effect(ArtifactStore, make(options))
