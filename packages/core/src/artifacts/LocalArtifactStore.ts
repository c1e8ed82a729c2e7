/**
 * Artifacts in a folder of this machine: `sha256/<first two digits>/<digest>`, and `staging/` for what is arriving.
 * Client names never reach the disk.
 */
import { createHash, randomUUID } from "node:crypto"
import { Clock, Effect, FileSystem, Layer, Option, Path, type PlatformError, Stream } from "effect"
import { Digest } from "../model/Version.ts"
import { ArtifactError, ArtifactNotFound, ArtifactStorageFailed, ArtifactTooLarge } from "./ArtifactError.ts"
import { ArtifactStore } from "./ArtifactStore.ts"

/**
 * A staged file that nobody wrote to for this long was left by a process that died. Long, because a file may wait for
 * its trial without being written to, and another process on the same folder can't know.
 */
const abandonedAfterMs = 24 * 3_600_000

const failed = (operation: string) => (cause: unknown) =>
  new ArtifactError({ reason: new ArtifactStorageFailed({ operation, cause }) })

const isNotFound = (error: PlatformError.PlatformError) => error.reason._tag === "NotFound"

const make = Effect.fnUntraced(function* (folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  // Runner processes get paths from here, and need not be where this process is.
  const directory = path.resolve(folder)
  const staging = path.join(directory, "staging")
  const fileOf = (digest: Digest) => path.join(directory, "sha256", digest.slice(0, 2), digest)

  /** A new name is durable only once the folder that holds it was synced. */
  const syncFolder = (of: string) =>
    Effect.scoped(Effect.flatMap(fs.open(of, { flag: "r" }), (handle) => handle.sync))

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

  yield* Effect.gen(function* () {
    yield* fs.makeDirectory(staging, { recursive: true, mode: 0o700 })
    yield* fs.makeDirectory(path.join(directory, "sha256"), { recursive: true, mode: 0o700 })
    yield* syncFolder(directory)
    yield* removeAbandoned
  }).pipe(Effect.mapError(failed("open")))

  const commit = Effect.fnUntraced(
    function* (staged: string, digest: Digest) {
      const file = fileOf(digest)
      const shard = path.dirname(file)
      yield* fs.makeDirectory(shard, { recursive: true, mode: 0o700 })
      // Also when it existed: whoever made it may not have come to this yet.
      yield* syncFolder(path.dirname(shard))
      // A link appears whole or not at all, like a rename, and leaves the staged name to whoever still reads it.
      yield* fs.link(staged, file).pipe(
        Effect.catchIf(
          (error) => error.reason._tag === "AlreadyExists",
          () => Effect.void,
        ),
      )
      yield* syncFolder(shard)
    },
    Effect.mapError(failed("commit")),
    Effect.uninterruptible,
  )

  const stage = Effect.fn("ArtifactStore.stage")(function* <E, R>(
    bytes: Stream.Stream<Uint8Array, E, R>,
    maxBytes: number,
  ) {
    const file = path.join(staging, randomUUID())
    yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(file, { force: true })))
    const hash = createHash("sha256")
    let size = 0
    yield* Effect.scoped(
      Effect.gen(function* () {
        const handle = yield* fs
          .open(file, { flag: "wx", mode: 0o600 })
          .pipe(Effect.mapError(failed("stage")))
        yield* Stream.runForEach(bytes, (chunk) => {
          size += chunk.length
          if (size > maxBytes)
            return Effect.fail(new ArtifactError({ reason: new ArtifactTooLarge({ limit: maxBytes }) }))
          hash.update(chunk)
          return Effect.mapError(handle.writeAll(chunk), failed("stage"))
        })
        yield* Effect.mapError(handle.sync, failed("stage"))
      }),
    )
    const digest = Digest.make(hash.digest("hex"))
    return { digest, size, file, commit: commit(file, digest) }
  })

  const notFound = (digest: Digest) => new ArtifactError({ reason: new ArtifactNotFound({ digest }) })

  const file = Effect.fn("ArtifactStore.file")(function* (digest: Digest) {
    const found = fileOf(digest)
    yield* fs
      .access(found, { readable: true })
      .pipe(Effect.mapError((error) => (isNotFound(error) ? notFound(digest) : failed("file")(error))))
    return found
  })

  return ArtifactStore.of({
    stage,
    file,
    read: (digest) =>
      fs
        .stream(fileOf(digest))
        .pipe(Stream.mapError((error) => (isNotFound(error) ? notFound(digest) : failed("read")(error)))),
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
