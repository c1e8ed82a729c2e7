/**
 * Files named by their digest, `sha256/<first two digits>/<digest>`, and `staging/` for what arrives. What stores and
 * caches on a disk have in common. Client names never reach the disk.
 */
import { createHash, randomUUID } from "node:crypto"
import { Clock, Effect, FileSystem, Option, Path, type PlatformError, Stream } from "effect"
import { Digest } from "../model/Version.ts"
import { ArtifactError, ArtifactStorageFailed, ArtifactTooLarge } from "./ArtifactError.ts"

/**
 * A staged file that nobody wrote to for this long was left by a process that died. Long, because a file may wait for
 * its trial without being written to, and another process on the same folder can't know.
 */
const abandonedAfterMs = 24 * 3_600_000

/** For `Effect.mapError`: whatever it was, the storage failed in this operation. */
export const failedIn = (operation: string) => (cause: unknown) =>
  new ArtifactError({ reason: new ArtifactStorageFailed({ operation, cause }) })

export const isNotFound = (error: PlatformError.PlatformError) => error.reason._tag === "NotFound"

export const isAlreadyThere = (error: PlatformError.PlatformError) => error.reason._tag === "AlreadyExists"

/** Bytes that arrived whole. The file goes with the scope of the staging. */
export interface StagedFile {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly file: string
}

/** A file that has its digest for a name. */
export interface FolderEntry {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly modifiedAt: Date
  readonly usedAt: Date
  /** How many names the bytes have. */
  readonly links: number
}

/** Opens the folder, which is made when it does not exist, and removes what processes that died left in `staging`. */
export const openArtifactFolder = Effect.fnUntraced(function* (folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  // Runner processes get paths from here, and need not be where this process is.
  const directory = path.resolve(folder)
  const staging = path.join(directory, "staging")
  const shards = path.join(directory, "sha256")
  const shardOf = (digest: Digest) => path.join(shards, digest.slice(0, 2))
  const fileOf = (digest: Digest) => path.join(shardOf(digest), digest)

  const removeIfAbandoned = Effect.fnUntraced(function* (file: string) {
    const now = yield* Clock.currentTimeMillis
    const { mtime } = yield* fs.stat(file)
    if (now - Option.getOrElse(mtime, () => new Date(now)).getTime() > abandonedAfterMs)
      yield* fs.remove(file, { recursive: true, force: true })
  })

  /** Never in the way of a start: other processes come and go here too. */
  const removeAbandoned = Effect.flatMap(
    fs.readDirectory(staging),
    Effect.forEach((name) => Effect.ignore(removeIfAbandoned(path.join(staging, name))), { discard: true }),
  )

  yield* fs.makeDirectory(staging, { recursive: true, mode: 0o700 })
  yield* fs.makeDirectory(shards, { recursive: true, mode: 0o700 })
  yield* removeAbandoned

  /** A name in `staging` that nobody has; what is there when the scope closes is removed. */
  const temporaryName = Effect.acquireRelease(
    Effect.sync(() => path.join(staging, randomUUID())),
    (file) => Effect.ignore(fs.remove(file, { force: true })),
  )

  /** Receives bytes, holding one chunk at a time. Fails with `ArtifactTooLarge` as soon as there are more than `maxBytes`. */
  const stage = Effect.fnUntraced(function* <E, R>(bytes: Stream.Stream<Uint8Array, E, R>, maxBytes: number) {
    const file = yield* temporaryName
    const hash = createHash("sha256")
    let size = 0
    yield* Effect.scoped(
      Effect.gen(function* () {
        const handle = yield* fs
          .open(file, { flag: "wx", mode: 0o600 })
          .pipe(Effect.mapError(failedIn("stage")))
        yield* Stream.runForEach(bytes, (chunk) => {
          size += chunk.length
          if (size > maxBytes)
            return Effect.fail(new ArtifactError({ reason: new ArtifactTooLarge({ limit: maxBytes }) }))
          hash.update(chunk)
          return Effect.mapError(handle.writeAll(chunk), failedIn("stage"))
        })
      }),
    )
    return { digest: Digest.make(hash.digest("hex")), size, file } satisfies StagedFile
  })

  /**
   * Gives a file its digest for a second name. What had that name before is replaced, so whatever became of its bytes
   * they are good now; whoever reads the old file goes on with it.
   */
  const place = Effect.fnUntraced(function* (file: string, digest: Digest) {
    const name = yield* temporaryName
    yield* fs.makeDirectory(shardOf(digest), { recursive: true, mode: 0o700 })
    // Both appear whole or not at all. The link keeps the first name for whoever still reads by it.
    yield* fs.link(file, name)
    yield* fs.rename(name, fileOf(digest))
  }, Effect.scoped)

  /** Nothing when the file went meanwhile, or is not of this folder's making. */
  const entry = Effect.fnUntraced(
    function* (name: string): Effect.fn.Return<ReadonlyArray<FolderEntry>, PlatformError.PlatformError> {
      const digest = Digest.makeOption(name)
      if (Option.isNone(digest)) return []
      const { size, mtime, atime, nlink } = yield* fs.stat(fileOf(digest.value))
      const modifiedAt = Option.getOrElse(mtime, () => new Date())
      const usedAt = Option.getOrElse(atime, () => modifiedAt)
      const links = Number(Option.getOrElse(nlink, () => 1n))
      return [{ digest: digest.value, size: Number(size), modifiedAt, usedAt, links }]
    },
    Effect.catchIf(isNotFound, () => Effect.succeed([])),
  )

  /** Every artifact, shard by shard. */
  const entries = Stream.fromIterableEffect(fs.readDirectory(shards)).pipe(
    Stream.mapEffect((shard) => fs.readDirectory(path.join(shards, shard))),
    Stream.flattenIterable,
    Stream.mapEffect(entry),
    Stream.flattenIterable,
  )

  return { directory, staging, shards, shardOf, fileOf, temporaryName, stage, place, entries }
})
