/**
 * Unfinished uploads in a folder of this machine: `<id>/session.json`, what arrived in segments named by the offset of
 * their first byte, and `outcome.json`. A segment is synced before it gets its name and never changed after, so the names
 * tell what is kept: no offset is written down that could differ from the bytes.
 */
import { randomUUID } from "node:crypto"
import { Clock, Effect, FileSystem, Layer, Option, Path, type PlatformError, Schema, Stream } from "effect"
import { isAlreadyThere, isNotFound } from "../artifacts/ArtifactFolder.ts"
import { UploadId } from "../model/UploadSession.ts"
import { writeSegments } from "./segments.ts"
import { OffsetMismatch, UploadError, UploadFragmented, UploadStorageFailed } from "./UploadError.ts"
import { type Piece, type StoredUpload, UploadOutcome, UploadPlan, UploadStore } from "./UploadStore.ts"

export interface LocalUploadStoreOptions {
  /**
   * Segments of one upload, each of which is a file. Default: 10,000, enough for the largest file in pieces of
   * 256 KiB.
   */
  readonly maxSegments?: number | undefined
}

/** What has no upload's name and is as old as this was left by a process that died. */
const abandonedAfterMs = 3_600_000

const Session = Schema.fromJsonString(UploadPlan)
const Outcome = Schema.fromJsonString(UploadOutcome)

type FindFailure = PlatformError.PlatformError | Schema.SchemaError

const failedIn = (operation: string) => (cause: unknown) =>
  new UploadError({ reason: new UploadStorageFailed({ operation, cause }) })

/** Sorts as the numbers do. */
const segmentName = (offset: number) => String(offset).padStart(16, "0")
const isSegment = (name: string) => /^\d{16}$/.test(name)

const make = Effect.fnUntraced(function* (
  given: string,
  { maxSegments = 10_000 }: LocalUploadStoreOptions = {},
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = path.resolve(given)
  const folderOf = (id: UploadId) => path.join(directory, id)
  const sessionOf = (id: UploadId) => path.join(folderOf(id), "session.json")
  const outcomeOf = (id: UploadId) => path.join(folderOf(id), "outcome.json")
  const temporary = (folder: string) => path.join(folder, `.${randomUUID()}`)

  const sync = (of: string) =>
    Effect.scoped(Effect.flatMap(fs.open(of, { flag: "r" }), (handle) => handle.sync))

  /** There whole or not at all, and for good. */
  const write = Effect.fnUntraced(function* (file: string, text: string) {
    const folder = path.dirname(file)
    const name = temporary(folder)
    yield* fs.writeFileString(name, text, { mode: 0o600 })
    yield* sync(name)
    yield* fs.rename(name, file)
    yield* sync(folder)
  })

  /** The age of an upload is that of its session file: the folder's own changes with every temporary name. */
  const showLife = Effect.fnUntraced(function* (id: UploadId) {
    const now = new Date(yield* Clock.currentTimeMillis)
    yield* fs.utimes(sessionOf(id), now, now)
  })

  /** Gone at once, under a name that is no upload's. */
  const removeFolder = Effect.fnUntraced(function* (id: UploadId) {
    const aside = temporary(directory)
    yield* fs.rename(folderOf(id), aside)
    yield* fs.remove(aside, { recursive: true, force: true })
  })

  const removeIfAbandoned = Effect.fnUntraced(function* (file: string) {
    const now = yield* Clock.currentTimeMillis
    const { mtime } = yield* fs.stat(file)
    if (now - Option.getOrElse(mtime, () => new Date(now)).getTime() > abandonedAfterMs)
      yield* fs.remove(file, { recursive: true, force: true })
  })

  /** Of the folder itself, and of the uploads in it. */
  const removeAbandoned = Effect.gen(function* () {
    for (const name of yield* fs.readDirectory(directory, { recursive: true }))
      if (path.basename(name).startsWith("."))
        yield* Effect.ignore(removeIfAbandoned(path.join(directory, name)))
  })

  yield* fs
    .makeDirectory(directory, { recursive: true, mode: 0o700 })
    .pipe(Effect.andThen(removeAbandoned), Effect.mapError(failedIn("open")))

  const segmentsOf = Effect.fnUntraced(function* (id: UploadId) {
    const names = yield* fs.readDirectory(folderOf(id))
    return names.filter(isSegment).sort()
  })

  /** Segments follow each other without gaps, so the last one tells. */
  const offsetOf = Effect.fnUntraced(function* (id: UploadId, segments: ReadonlyArray<string>) {
    const last = segments.at(-1)
    if (last === undefined) return 0
    return Number(last) + Number((yield* fs.stat(path.join(folderOf(id), last))).size)
  })

  /** Nothing where there is no such file. */
  const readIfThere = (file: string) =>
    Effect.asSome(fs.readFileString(file)).pipe(Effect.catchIf(isNotFound, () => Effect.succeedNone))

  const look = Effect.fnUntraced(function* (
    id: UploadId,
  ): Effect.fn.Return<Option.Option<StoredUpload>, FindFailure> {
    const session = yield* readIfThere(sessionOf(id))
    if (Option.isNone(session)) return Option.none()
    const plan = yield* Schema.decodeUnknownEffect(Session)(session.value)
    const { mtime } = yield* fs.stat(sessionOf(id))
    const ended = yield* readIfThere(outcomeOf(id))
    return Option.some({
      id,
      plan,
      offset: Option.isSome(ended) ? plan.size : yield* offsetOf(id, yield* segmentsOf(id)),
      lastActivity: Option.match(mtime, { onNone: () => 0, onSome: (date) => date.getTime() }),
      outcome: Option.isSome(ended) ? yield* Schema.decodeUnknownEffect(Outcome)(ended.value) : undefined,
    })
  })

  const isGone = (error: FindFailure) => error._tag === "PlatformError" && isNotFound(error)

  const find = (id: UploadId) =>
    look(id).pipe(
      // Its segments went as it ended: what it came to is there now. Or it was removed.
      Effect.catchIf(isGone, () => look(id)),
      Effect.catchIf(isGone, () => Effect.succeedNone),
      Effect.mapError(failedIn("find")),
    )

  /** One that can't be read must not keep all others from being looked through. */
  const findOrWarn = (id: UploadId) =>
    Effect.catch(find(id), (error) =>
      Effect.as(
        Effect.logWarning(
          `The upload in ${folderOf(id)} can't be read, and takes room until it is removed`,
          error,
        ),
        Option.none<StoredUpload>(),
      ),
    )

  const insert = Effect.fn("UploadStore.insert")(
    function* (id: UploadId, plan: UploadPlan) {
      const folder = temporary(directory)
      yield* fs.makeDirectory(folder, { mode: 0o700 })
      yield* write(path.join(folder, "session.json"), yield* Schema.encodeEffect(Session)(plan))
      yield* fs.rename(folder, folderOf(id))
      yield* sync(directory)
      yield* showLife(id)
    },
    Effect.mapError(failedIn("insert")),
  )

  /** Gives a segment its name, after which it counts. */
  const keep = Effect.fnUntraced(
    function* (id: UploadId, file: string, offset: number) {
      yield* fs.link(file, path.join(folderOf(id), segmentName(offset)))
      yield* sync(folderOf(id))
      yield* showLife(id)
    },
    (effect, id, _file, offset) =>
      Effect.catchIf(effect, isAlreadyThere, () =>
        Effect.flatMap(
          Effect.flatMap(segmentsOf(id), (segments) => offsetOf(id, segments)),
          (actual) =>
            Effect.fail(new UploadError({ reason: new OffsetMismatch({ sent: offset, offset: actual }) })),
        ),
      ),
    Effect.mapError((error) => (error._tag === "UploadError" ? error : failedIn("append")(error))),
  )

  const append = Effect.fn("UploadStore.append")(function* <E, R>(id: UploadId, piece: Piece<E, R>) {
    const { length } = yield* Effect.mapError(segmentsOf(id), failedIn("append"))
    if (length >= maxSegments)
      return yield* new UploadError({ reason: new UploadFragmented({ limit: maxSegments }) })
    return yield* writeSegments(piece, {
      open: Effect.gen(function* () {
        const file = yield* Effect.acquireRelease(
          Effect.sync(() => temporary(folderOf(id))),
          (name) => Effect.ignore(fs.remove(name, { force: true })),
        )
        return { file, handle: yield* fs.open(file, { flag: "wx", mode: 0o600 }) }
      }),
      keep: (file, offset) => keep(id, file, offset),
      failed: failedIn("append"),
    })
  })

  const read = (id: UploadId) =>
    Stream.fromIterableEffect(segmentsOf(id)).pipe(
      Stream.flatMap((name) => fs.stream(path.join(folderOf(id), name), { chunkSize: 256 * 1024 })),
      Stream.mapError(failedIn("read")),
    )

  const conclude = Effect.fn("UploadStore.conclude")(
    function* (id: UploadId, outcome: UploadOutcome) {
      yield* write(outcomeOf(id), yield* Schema.encodeEffect(Outcome)(outcome))
      yield* showLife(id)
      for (const name of yield* segmentsOf(id))
        yield* fs.remove(path.join(folderOf(id), name), { force: true })
    },
    Effect.mapError(failedIn("conclude")),
    Effect.uninterruptible,
  )

  return UploadStore.of({
    insert,
    find,
    list: fs.readDirectory(directory).pipe(
      Effect.mapError(failedIn("list")),
      Effect.map((names) => names.flatMap((name) => Option.toArray(UploadId.makeOption(name)))),
      Effect.flatMap(Effect.forEach((id) => findOrWarn(id), { concurrency: 16 })),
      Effect.map((found) => found.flatMap((upload) => Option.toArray(upload))),
    ),
    append,
    read,
    conclude,
    remove: (id) =>
      removeFolder(id).pipe(
        Effect.catchIf(isNotFound, () => Effect.void),
        Effect.mapError(failedIn("remove")),
        Effect.uninterruptible,
      ),
  })
})

/** Keeps unfinished uploads in `directory`, made when it does not exist. */
export const layerUploadStoreLocal = (directory: string, options?: LocalUploadStoreOptions) =>
  Layer.effect(UploadStore, make(directory, options))
