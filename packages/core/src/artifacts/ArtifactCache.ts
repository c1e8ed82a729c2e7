/**
 * Artifacts of a store elsewhere, in a folder of this machine: fetched once, verified, and bounded in size. Several
 * processes may share the folder. What one hands out it holds by a second name, in `held/<process>/`: evictions see by
 * the number of names that it is in use, and could at worst take the first name away.
 */
import { randomUUID } from "node:crypto"
import {
  Clock,
  Effect,
  FileSystem,
  Option,
  Path,
  RcMap,
  Schedule,
  type Scope,
  Semaphore,
  Stream,
} from "effect"
import type { Digest } from "../model/Version.ts"
import type { ArtifactError } from "./ArtifactError.ts"
import { failedIn, isNotFound, openArtifactFolder, type StagedFile } from "./ArtifactFolder.ts"
import { corrupt, makeVerification, verified } from "./Verification.ts"

/** A process that showed no sign of life for this long died, and holds nothing any more. */
const deadAfterMs = 10 * 60_000
const signOfLife = "1 minute"

/** An artifact on its way from the store. */
export interface FetchedArtifact {
  /** Bytes, as the store announces them. */
  readonly size: number
  readonly bytes: Stream.Stream<Uint8Array, ArtifactError>
}

export interface ArtifactCacheOptions {
  /** Made when it does not exist. */
  readonly directory: string
  /** What the folder may hold; exceeded only by files that are in use. */
  readonly maxBytes: number
  /** Asks the store. Fails with `ArtifactNotFound`. */
  readonly fetch: (digest: Digest) => Effect.Effect<FetchedArtifact, ArtifactError, Scope.Scope>
}

export interface ArtifactCache {
  /** Receives bytes into the folder; they are part of the cache only once they are adopted. */
  readonly stage: <E, R>(
    bytes: Stream.Stream<Uint8Array, E, R>,
    maxBytes: number,
  ) => Effect.Effect<StagedFile, E | ArtifactError, R | Scope.Scope>
  /** Takes in a staged file that the store has now too, which spares fetching it. */
  readonly adopt: (staged: StagedFile) => Effect.Effect<void, ArtifactError>
  /**
   * A file with the bytes, fetched when there is none, verified, and held until the scope closes. Whoever asks for the
   * same meanwhile shares it. A damaged copy is fetched again; `ArtifactCorrupt` means that the store's is damaged.
   */
  readonly file: (digest: Digest) => Effect.Effect<string, ArtifactError, Scope.Scope>
  /** The cached copy need not be kept: the store has the artifact no more. */
  readonly drop: (digest: Digest) => Effect.Effect<void, ArtifactError>
  /** The bytes: of the cached copy, or straight from the store, which leaves nothing in the cache. */
  readonly read: (digest: Digest) => Stream.Stream<Uint8Array, ArtifactError>
}

/** A transfer that broke off is begun anew this often. */
const again = Schedule.exponential("200 millis").pipe(Schedule.upTo({ times: 2 }))

export const makeArtifactCache = Effect.fnUntraced(function* (options: ArtifactCacheOptions) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const verification = yield* makeVerification
  const trimming = yield* Semaphore.make(1)
  const folder = yield* Effect.mapError(openArtifactFolder(options.directory), failedIn("open the cache"))
  const { fileOf } = folder
  const holders = path.join(folder.directory, "held")
  const held = path.join(holders, randomUUID())

  const now = Effect.map(Clock.currentTimeMillis, (millis) => new Date(millis))
  /** A machine that slept may find itself declared dead. */
  const showLife = Effect.andThen(
    fs.makeDirectory(held, { recursive: true, mode: 0o700 }),
    Effect.flatMap(now, (time) => fs.utimes(held, time, time)),
  )

  const releaseOfTheDead = Effect.gen(function* () {
    const deadline = (yield* Clock.currentTimeMillis) - deadAfterMs
    for (const name of yield* fs.readDirectory(holders)) {
      const holder = path.join(holders, name)
      const { mtime } = yield* fs.stat(holder)
      if (Option.exists(mtime, (time) => time.getTime() < deadline))
        yield* fs.remove(holder, { recursive: true, force: true })
    }
    // Others come and go here too.
  }).pipe(Effect.catchIf(isNotFound, () => Effect.void))

  yield* Effect.acquireRelease(showLife, () =>
    Effect.ignore(fs.remove(held, { recursive: true, force: true })),
  ).pipe(Effect.andThen(releaseOfTheDead), Effect.mapError(failedIn("open the cache")))
  yield* Effect.ignore(showLife).pipe(Effect.schedule(Schedule.spaced(signOfLife)), Effect.forkScoped)

  /** Bytes that this process is about to add. */
  let arriving = 0
  /** What is in use was more than the bound when this was looked at last. */
  let overfull = false

  /** Removes what was not used for longest until the rest, and what arrives, is within the bound. */
  const trim = Effect.gen(function* () {
    yield* releaseOfTheDead
    const files = yield* Stream.runCollect(folder.entries)
    let total = files.reduce((sum, { size }) => sum + size, arriving)
    for (const { digest, size, links } of files.sort((a, b) => a.usedAt.getTime() - b.usedAt.getTime())) {
      if (total <= options.maxBytes) break
      if (links > 1) continue
      yield* fs.remove(fileOf(digest), { force: true })
      total -= size
    }
    overfull = total > options.maxBytes
    if (overfull)
      yield* Effect.logWarning(
        `The artifact cache needs ${total} bytes for what is in use, more than its bound of ${options.maxBytes}`,
      )
  }).pipe(Effect.mapError(failedIn("make room in the cache")), trimming.withPermit)

  /** Room for so many bytes, until the scope closes: they must be in place by then. */
  const makeRoom = Effect.fnUntraced(function* (bytes: number) {
    const add = (more: number) =>
      Effect.sync(() => {
        arriving += more
      })
    yield* Effect.acquireRelease(add(bytes), () => add(-bytes))
    yield* trim
  })

  /** Marks the file as used now; its time of change stays, by which it is known to be intact. */
  const touch = Effect.fnUntraced(function* (file: string) {
    const { mtime } = yield* fs.stat(file)
    const time = yield* now
    yield* fs.utimes(
      file,
      time,
      Option.getOrElse(mtime, () => time),
    )
  })

  /** Whether there is a cached copy that is intact; it is held as `file` then. */
  const holdCached = Effect.fnUntraced(
    function* (digest: Digest, file: string) {
      yield* fs.link(fileOf(digest), file)
      if (yield* verification.isIntact(file, digest)) return true
      yield* Effect.logWarning(`The cached copy of artifact ${digest} is damaged and is fetched again`)
      yield* Effect.all([fs.remove(file, { force: true }), fs.remove(fileOf(digest), { force: true })])
      return false
    },
    Effect.catchIf(isNotFound, () => Effect.succeed(false)),
    Effect.mapError(failedIn("look into the cache")),
  )

  const holdFetched = Effect.fnUntraced(
    function* (digest: Digest, file: string) {
      const { size, bytes } = yield* options.fetch(digest)
      yield* makeRoom(size)
      const staged = yield* folder.stage(bytes, size)
      if (staged.size !== size)
        return yield* failedIn("fetch")(new Error(`${staged.size} of ${size} bytes came`))
      if (staged.digest !== digest) {
        yield* Effect.logError(`The bytes of artifact ${digest} are damaged in the store`)
        return yield* corrupt(digest)
      }
      yield* fs
        .link(staged.file, file)
        .pipe(
          Effect.andThen(folder.place(staged.file, digest)),
          Effect.andThen(verification.remember(file, digest)),
          Effect.mapError(failedIn("fill the cache")),
        )
    },
    Effect.scoped,
    Effect.retry({ while: ({ reason }) => reason._tag === "ArtifactStorageFailed", schedule: again }),
  )

  /** What was in use for long was used last when that ends. */
  const release = Effect.fnUntraced(function* (file: string) {
    yield* Effect.ignore(touch(file))
    yield* fs.remove(file, { force: true })
    if (overfull) yield* trim
  })

  let holds = 0
  const inUse = yield* RcMap.make({
    lookup: Effect.fnUntraced(function* (digest: Digest) {
      // A new name each time: the file that was held before may be on its way out.
      const file = path.join(held, `${++holds}-${digest}`)
      yield* Effect.addFinalizer(() => Effect.ignore(release(file)))
      if (!(yield* holdCached(digest, file))) yield* holdFetched(digest, file)
      yield* Effect.mapError(touch(file), failedIn("look into the cache"))
      return file
    }),
  })

  /** A failure is told to all who wait for it, and to nobody who comes later. */
  const file = (digest: Digest) =>
    Effect.tapError(RcMap.get(inUse, digest), () => RcMap.invalidate(inUse, digest))

  return {
    stage: folder.stage,
    adopt: Effect.fnUntraced(function* (staged: StagedFile) {
      yield* makeRoom(staged.size)
      yield* Effect.gen(function* () {
        yield* folder.place(staged.file, staged.digest)
        yield* touch(staged.file)
        yield* verification.remember(staged.file, staged.digest)
      }).pipe(Effect.mapError(failedIn("fill the cache")))
    }, Effect.scoped),
    file,
    drop: (digest) =>
      Effect.mapError(fs.remove(fileOf(digest), { force: true }), failedIn("make room in the cache")),
    read: (digest) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const cached = yield* Effect.mapError(fs.exists(fileOf(digest)), failedIn("look into the cache"))
          if (cached) return Stream.mapError(fs.stream(yield* file(digest)), failedIn("read the cached copy"))
          const { bytes } = yield* options.fetch(digest)
          return verified(digest)(bytes)
        }),
      ),
  } satisfies ArtifactCache
})
