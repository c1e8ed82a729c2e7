/**
 * Artifacts as objects of S3-compatible storage, `<prefix>/sha256/<first two digits>/<digest>`. Bytes arrive in a folder
 * of this machine, and what is used is cached there.
 */
import {
  ArtifactError,
  ArtifactNotFound,
  ArtifactStore,
  type Digest,
  failedIn,
  makeArtifactCache,
  type StagedFile,
} from "@modelforge/core"
import { Clock, Effect, FileSystem, Layer, Option, Stream } from "effect"
import { openBucket, type S3Failure, storageFailed } from "./S3Bucket.ts"
import type { S3ClientOptions } from "./S3ClientOptions.ts"
import { keysOf, type S3Location } from "./S3Location.ts"
import { createObject, replaceObject } from "./S3Object.ts"

export interface S3ArtifactStoreOptions extends S3Location, S3ClientOptions {
  /** Folder of this machine for files that arrive or are used; several processes may share it. */
  readonly cacheDirectory: string
  /** What it may hold of files that are not in use. Default: 10 GiB. */
  readonly cacheBytes?: number | undefined
}

const defaultCacheBytes = 10 * 2 ** 30

/** An object of this age is committed anew by whoever has its bytes, so that it counts as young again. */
const renewedAfterMs = 3_600_000

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

  /** Size and age in milliseconds of the object, if there is one. */
  const look = Effect.fnUntraced(
    function* (digest: Digest) {
      const { ContentLength, LastModified } = yield* request("commit", (client, sdk, sending) =>
        client.send(new sdk.HeadObjectCommand(targetOf(digest)), sending),
      )
      const age = (yield* Clock.currentTimeMillis) - (LastModified?.getTime() ?? 0)
      return Option.some({ size: ContentLength, age })
    },
    Effect.catchIf(isMissing, () => Effect.succeedNone),
  )

  const commit = Effect.fn("ArtifactStore.commit")(
    function* (staged: StagedFile) {
      const { digest, size } = staged
      const found = yield* look(digest)
      if (Option.isNone(found)) yield* createObject(request, targetOf(digest), staged)
      // Writing it again renews its age, and mends it if its bytes are damaged.
      else if (found.value.size !== size || found.value.age > renewedAfterMs)
        yield* replaceObject(request, targetOf(digest), staged)
      yield* Effect.catch(cache.adopt(staged), (error) =>
        Effect.logWarning("An upload could not be cached and will be fetched when it is used", error),
      )
    },
    Effect.catchTag("S3Failure", (failure) => Effect.fail(storageFailed(failure))),
    Effect.provideService(FileSystem.FileSystem, fs),
  )

  return ArtifactStore.of({
    stage: Effect.fn("ArtifactStore.stage")(function* (bytes, maxBytes) {
      const staged = yield* cache.stage(bytes, maxBytes)
      return { ...staged, commit: commit(staged) }
    }),
    file: Effect.fn("ArtifactStore.file")(cache.file),
    read: cache.read,
  })
})

/**
 * Keeps artifacts in a bucket that exists. Needs the package `@aws-sdk/client-s3`. Fails with
 * `ArtifactStorageUnusable` when the package, the bucket, the credentials or the region are missing or refused.
 */
export const layerArtifactStoreS3 = (options: S3ArtifactStoreOptions) =>
  Layer.effect(ArtifactStore, make(options))
