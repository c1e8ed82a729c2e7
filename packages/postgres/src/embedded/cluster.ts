/**
 * The data folder: made whole or not at all, and only opened by the PostgreSQL major that wrote it.
 *
 * initdb works in a folder beside the final one, which is then renamed: a killed initdb leaves a folder that the next
 * start removes, never half a cluster.
 */
import { Effect, FileSystem, Option, Path } from "effect"
import type { PlatformError } from "effect/PlatformError"
import {
  DataFolderNotWritable,
  EmbeddedPostgresError,
  InitFailed,
  MajorVersionMismatch,
} from "./EmbeddedPostgresError.ts"
import { commandOf, type Launcher } from "./Launcher.ts"
import { isAlive, self } from "./processIdentity.ts"
import { runCommand } from "./runCommand.ts"

const notWritable = (dataDirectory: string) => (error: PlatformError) =>
  new EmbeddedPostgresError({
    reason: new DataFolderNotWritable({
      dataDirectory,
      detail:
        error.reason._tag === "PermissionDenied"
          ? `permission denied (${error.message}). It must be readable and writable by the user who runs ModelForge`
          : error.message,
    }),
  })

const initFailed = (dataDirectory: string, detail: string) =>
  new EmbeddedPostgresError({ reason: new InitFailed({ dataDirectory, detail }) })

/** Makes the folders above, and follows links, so that everyone names the data folder alike. */
export const resolveDataDirectory = Effect.fnUntraced(function* (dataDirectory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const absolute = path.resolve(dataDirectory)
  return yield* Effect.gen(function* () {
    if (yield* fs.exists(absolute)) return yield* fs.realPath(absolute)
    const parent = path.dirname(absolute)
    yield* fs.makeDirectory(parent, { recursive: true })
    return path.join(yield* fs.realPath(parent), path.basename(absolute))
  }).pipe(Effect.mapError(notWritable(absolute)))
})

/** The major version that wrote the folder; undefined where there is none yet. */
const majorOf = Effect.fnUntraced(function* (dataDirectory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const refuse = notWritable(dataDirectory)
  if (!(yield* Effect.mapError(fs.exists(dataDirectory), refuse))) return undefined
  yield* Effect.mapError(fs.access(dataDirectory, { readable: true, writable: true }), refuse)
  const names = yield* Effect.mapError(fs.readDirectory(dataDirectory), refuse)
  if (names.includes("PG_VERSION")) {
    const version = yield* Effect.mapError(fs.readFileString(path.join(dataDirectory, "PG_VERSION")), refuse)
    return version.trim()
  }
  if (names.length === 0) return undefined
  return yield* initFailed(
    dataDirectory,
    "it holds files that are not PostgreSQL's. Choose an empty folder, or one that does not exist yet",
  )
})

const prefixOf = (path: Path.Path, dataDirectory: string) => `.${path.basename(dataDirectory)}.init-`

/** Folders named after a process that is gone. */
const removeLeftovers = Effect.fnUntraced(
  function* (dataDirectory: string) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const parent = path.dirname(dataDirectory)
    const prefix = prefixOf(path, dataDirectory)
    for (const name of yield* fs.readDirectory(parent)) {
      if (!name.startsWith(prefix)) continue
      const [pid, startedAt] = name.slice(prefix.length).split("-").map(Number)
      if (pid === undefined || startedAt === undefined || isAlive({ pid, startedAt })) continue
      yield* fs.remove(path.join(parent, name), { recursive: true, force: true })
    }
  },
  (effect) => Effect.ignore(effect),
)

/** A rename is on disk only when the folder that holds the name is. */
const syncFolder = Effect.fnUntraced(
  function* (folder: string) {
    const fs = yield* FileSystem.FileSystem
    const file = yield* fs.open(folder)
    yield* file.sync
  },
  Effect.scoped,
  (effect) => Effect.ignore(effect),
)

const initialize = Effect.fnUntraced(function* (dataDirectory: string, launcher: Launcher) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const parent = path.dirname(dataDirectory)
  const { uid, gid } = launcher.user ?? {}

  const temporary = yield* fs
    .makeTempDirectoryScoped({
      directory: parent,
      prefix: `${prefixOf(path, dataDirectory)}${self.pid}-${self.startedAt}-`,
    })
    .pipe(Effect.mapError(notWritable(dataDirectory)))
  if (uid !== undefined && gid !== undefined) {
    yield* Effect.mapError(fs.chown(temporary, uid, gid), notWritable(dataDirectory))
  }
  const [program, args] = commandOf(launcher, launcher.binaries.initdb, [
    `--pgdata=${temporary}`,
    "--username=postgres",
    // Whoever reaches the socket is trusted; only its owner can enter the folder it is in.
    "--auth-local=trust",
    "--auth-host=reject",
    "--no-locale",
    "--encoding=UTF8",
    "--data-checksums",
    "--no-instructions",
  ])
  const { exitCode, output } = yield* runCommand(program, ...args)
  if (exitCode !== 0) {
    return yield* initFailed(dataDirectory, `initdb ended with status ${exitCode}.\n${output}`)
  }
  const renamed = yield* Effect.result(fs.rename(temporary, dataDirectory))
  // When another process was faster, its cluster is as good.
  if (renamed._tag === "Failure" && (yield* majorOf(dataDirectory)) === undefined) {
    const { message, reason } = renamed.failure
    const mounted = reason._tag === "Busy"
    return yield* initFailed(
      dataDirectory,
      mounted ? "it is a mount point. Choose a folder inside it" : message,
    )
  }
  yield* syncFolder(parent)
}, Effect.scoped)

/** Gives the folder to the user the server runs as, when an earlier start ran as another. */
const changeOwner = Effect.fnUntraced(function* (dataDirectory: string, launcher: Launcher) {
  if (launcher.user === undefined) return
  const { uid, gid } = launcher.user
  const fs = yield* FileSystem.FileSystem
  const info = yield* Effect.mapError(fs.stat(dataDirectory), notWritable(dataDirectory))
  // `chown -R` does the folder itself last, so its owner tells that the rest is done.
  if (Option.contains(info.uid, uid)) return
  const { exitCode, output } = yield* runCommand("chown", "-R", `${uid}:${gid}`, dataDirectory)
  if (exitCode !== 0) {
    return yield* new EmbeddedPostgresError({
      reason: new DataFolderNotWritable({ dataDirectory, detail: output }),
    })
  }
})

/**
 * Makes the cluster where there is none, and checks the version of one that is there.
 * Fails with `MajorVersionMismatch`, `DataFolderNotWritable` or `InitFailed`.
 */
export const prepareCluster = Effect.fnUntraced(function* (dataDirectory: string, launcher: Launcher) {
  yield* removeLeftovers(dataDirectory)
  if ((yield* majorOf(dataDirectory)) === undefined) yield* initialize(dataDirectory, launcher)
  const folderMajor = yield* majorOf(dataDirectory)
  const binariesMajor = launcher.version.split(".")[0]
  if (folderMajor !== undefined && binariesMajor !== undefined && folderMajor !== binariesMajor) {
    return yield* new EmbeddedPostgresError({
      reason: new MajorVersionMismatch({ dataDirectory, folderMajor, binariesMajor }),
    })
  }
  yield* changeOwner(dataDirectory, launcher)
})
