/**
 * Who has the data folder open.
 *
 * PostgreSQL's own `postmaster.pid` decides; this only reads it, to refuse at once with the right words instead of after
 * a failed start, and to wait for a predecessor that is still shutting down. Beside it a record names the process that
 * started the server and its socket folder, which nobody removes when that process is killed.
 */
import { Duration, Effect, FileSystem, Option, Path, Schedule, Schema } from "effect"
import { DataFolderInUse, EmbeddedPostgresError } from "./EmbeddedPostgresError.ts"
import { exists, isAlive, self } from "./processIdentity.ts"

/** How long a predecessor whose owner is gone may take to shut down. */
const patience = Duration.seconds(10)

const OwnerRecord = Schema.fromJsonString(
  Schema.Struct({ pid: Schema.Int, startedAt: Schema.Int, socketDirectory: Schema.String }),
)
type OwnerRecord = typeof OwnerRecord.Type

/** Start of the names of socket folders. */
export const socketDirectoryPrefix = "mfpg-"

const recordFile = (path: Path.Path, dataDirectory: string) =>
  path.join(dataDirectory, "modelforge-owner.json")

const lockFile = (path: Path.Path, dataDirectory: string) => path.join(dataDirectory, "postmaster.pid")

export interface ServerLock {
  readonly pid: number
  /** "starting", "ready", "stopping" */
  readonly status: string
  readonly text: string
}

/** PostgreSQL's lock file; none when no server has the folder, or the file is only just being written. */
export const readServerLock = Effect.fnUntraced(function* (dataDirectory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const text = yield* Effect.orElseSucceed(fs.readFileString(lockFile(path, dataDirectory)), () => "")
  const lines = text.split("\n")
  const pid = Math.abs(Number.parseInt(lines[0] ?? "", 10))
  return Number.isNaN(pid)
    ? Option.none<ServerLock>()
    : Option.some<ServerLock>({ pid, status: lines[7]?.trim() ?? "", text })
})

const readRecord = Effect.fnUntraced(function* (dataDirectory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const text = yield* fs.readFileString(recordFile(path, dataDirectory))
  return yield* Schema.decodeEffect(OwnerRecord)(text)
}, Effect.option)

/**
 * Whether a live process works in the folder, as a PostgreSQL server of it does. Where the system does not tell
 * (no /proc, or another user's process), the answer is yes.
 */
const worksIn = Effect.fnUntraced(function* (pid: number, dataDirectory: string) {
  const fs = yield* FileSystem.FileSystem
  if (!exists(pid)) return false
  if (!(yield* Effect.orElseSucceed(fs.exists("/proc/self/cwd"), () => false))) return true
  return yield* Effect.all([fs.stat(`/proc/${pid}/cwd`), fs.stat(dataDirectory)]).pipe(
    Effect.map(([a, b]) => a.dev === b.dev && Option.getOrNull(a.ino) === Option.getOrNull(b.ino)),
    Effect.catch((error) => Effect.succeed(error.reason._tag !== "NotFound")),
  )
})

/**
 * A lock file whose number went to another process would make PostgreSQL refuse for ever, which is common where
 * containers restart. Should a server start in between, its shared memory still keeps a second one out.
 */
const removeForeignLock = Effect.fnUntraced(function* (dataDirectory: string, lock: ServerLock) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const again = yield* readServerLock(dataDirectory)
  if (!exists(lock.pid) || Option.isNone(again) || again.value.text !== lock.text) return
  yield* Effect.logWarning(
    `removing PostgreSQL's stale lock file: process ${lock.pid} is not a server of ${dataDirectory}`,
  )
  yield* Effect.ignore(fs.remove(lockFile(path, dataDirectory), { force: true }))
})

/** Removes the socket folder of a killed owner, if it is one of ours and holds nothing but sockets. */
const removeStaleSocketDirectory = Effect.fnUntraced(
  function* (record: OwnerRecord) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    if (isAlive(record)) return
    if (!path.basename(record.socketDirectory).startsWith(socketDirectoryPrefix)) return
    const names = yield* fs.readDirectory(record.socketDirectory)
    if (names.some((name) => !name.startsWith(".s.PGSQL."))) return
    yield* fs.remove(record.socketDirectory, { recursive: true, force: true })
  },
  (effect) => Effect.ignore(effect),
)

const inUse = (dataDirectory: string, lock: ServerLock, record: Option.Option<OwnerRecord>) =>
  new EmbeddedPostgresError({
    reason: Option.match(record, {
      onNone: () => new DataFolderInUse({ dataDirectory, pid: lock.pid, owner: "a PostgreSQL server" }),
      onSome: ({ pid }) =>
        new DataFolderInUse({
          dataDirectory,
          pid,
          owner: pid === self.pid ? "this process" : "another ModelForge process",
        }),
    }),
  })

/**
 * Waits until no server has the folder, and cleans up after a predecessor that was killed.
 * Fails with `DataFolderInUse`: at once when its owner lives, after ten seconds when that is gone.
 */
export const awaitFree = Effect.fnUntraced(function* (dataDirectory: string) {
  const look = Effect.gen(function* () {
    const lock = yield* readServerLock(dataDirectory)
    const record = yield* readRecord(dataDirectory)
    if (Option.isNone(lock)) return { record, blocker: undefined }
    if (!(yield* worksIn(lock.value.pid, dataDirectory))) {
      yield* removeForeignLock(dataDirectory, lock.value)
      return { record, blocker: undefined }
    }
    const leaving = lock.value.status === "stopping" || Option.exists(record, (owner) => !isAlive(owner))
    const blocker = inUse(dataDirectory, lock.value, Option.filter(record, isAlive))
    return leaving ? { record, blocker } : yield* blocker
  })
  const { record, blocker } = yield* look.pipe(
    Effect.repeat({
      until: (state) => state.blocker === undefined,
      schedule: Schedule.spaced("25 millis").pipe(Schedule.upTo({ duration: patience })),
    }),
  )
  if (blocker !== undefined) return yield* blocker
  if (Option.isSome(record)) yield* removeStaleSocketDirectory(record.value)
})

/** Names this process as the owner until the scope closes. */
export const recordOwner = Effect.fnUntraced(function* (dataDirectory: string, socketDirectory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = recordFile(path, dataDirectory)
  const text = yield* Schema.encodeEffect(OwnerRecord)({ ...self, socketDirectory }).pipe(Effect.orDie)
  yield* Effect.acquireRelease(fs.writeFileString(file, text), () =>
    Effect.ignore(fs.remove(file, { force: true })),
  )
})
