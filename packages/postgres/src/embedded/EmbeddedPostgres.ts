/**
 * A private PostgreSQL server for this process: its own data folder, a unix socket only its user can reach, no TCP
 * port, no password. It starts with the layer, stops with its scope, and does not outlive this process, `kill -9`
 * included.
 *
 * One process at a time has a data folder open. Two containers that share the folder cannot see each other: give each
 * its own, or use DATABASE_URL.
 */
import { Context, Deferred, Effect, Exit, FileSystem, Layer, Path, Schedule, Scope } from "effect"
import { defaultSources, findBinaries } from "./binaries.ts"
import { prepareCluster, resolveDataDirectory } from "./cluster.ts"
import { EmbeddedPostgresError, StartFailed } from "./EmbeddedPostgresError.ts"
import { currentIdentity, type Launcher, makeLauncher } from "./Launcher.ts"
import { awaitFree, recordOwner, socketDirectoryPrefix } from "./ownership.ts"
import { type ServerExit, type ServerOptions, startServer } from "./serverProcess.ts"

export interface EmbeddedPostgresOptions {
  /** Folder of the data; made on the first start. Relative to the working directory. */
  readonly dataDirectory: string
  /** Folder that holds `initdb` and `postgres`. Default: the npm package for this machine, else Debian's newest. */
  readonly binaries?: string | undefined
  /**
   * Settings of postgresql.conf, over modest defaults: 50 connections, 64 MB of shared buffers, every commit on disk
   * before it is acknowledged. Address, port and socket folder cannot be set.
   */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/** The socket is always named so: the port is part of the name. */
const socketName = ".s.PGSQL.5432"

/** macOS keeps 104 bytes for the path of a socket, Linux 108, the final zero included. */
const longestSocketPath = 103

const makeSocketDirectory = Effect.fnUntraced(function* (user: Launcher["user"]) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const make = (directory?: string) =>
    fs.makeTempDirectoryScoped({
      prefix: socketDirectoryPrefix,
      ...(directory === undefined ? {} : { directory }),
    })
  const first = yield* make()
  const fits = Buffer.byteLength(path.join(first, socketName)) <= longestSocketPath
  const directory = fits ? first : yield* make("/tmp")
  if (user !== undefined) yield* fs.chown(directory, user.uid, user.gid)
  return directory
})

/** What PostgreSQL logs when a predecessor still holds the folder: its lock file, or memory its processes share. */
const heldByPredecessor = /lock file "postmaster\.pid" already exists|pre-existing shared memory block/

const isHeld = ({ reason }: EmbeddedPostgresError) =>
  reason._tag === "StartFailed" && heldByPredecessor.test(reason.log)

/** Each attempt has a scope of its own: what a failed one leaves is released before the next. */
const startInOwnScope = Effect.fnUntraced(function* (options: ServerOptions) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const server = yield* Effect.andThen(awaitFree(options.dataDirectory), startServer(options)).pipe(
    Scope.provide(scope),
    Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
  )
  return { server, scope }
})

export class EmbeddedPostgres extends Context.Service<
  EmbeddedPostgres,
  {
    /** Folder of the socket, as `host` of most drivers wants it. Readable by this user only. */
    readonly socketDirectory: string
    /** The socket itself, as `PgClient`'s `path` wants it; user and database are both `postgres`. */
    readonly socketPath: string
    /** Absolute path of the data folder, links followed. */
    readonly dataDirectory: string
    /** Version of the server, "18.4". */
    readonly version: string
    /** Process id of the server. */
    readonly pid: number
    /** Completes when the server ends while it should run; never in an orderly stop. The host logs it and exits. */
    readonly exited: Effect.Effect<ServerExit>
  }
>()("@modelforge/postgres/embedded/EmbeddedPostgres") {
  /**
   * Opens the data folder: at once when it is there, in under a second when it must be made. A folder that another
   * process has open is refused; one whose owner was killed is waited for. Interruption leaves nothing running.
   */
  static readonly make = Effect.fn("EmbeddedPostgres.make")(function* (options: EmbeddedPostgresOptions) {
    const path = yield* Path.Path
    const scope = yield* Effect.scope
    const binaries = yield* findBinaries(defaultSources(options.binaries))
    const dataDirectory = yield* resolveDataDirectory(options.dataDirectory)
    const launcher = yield* makeLauncher(binaries, dataDirectory, yield* currentIdentity(dataDirectory))
    yield* awaitFree(dataDirectory)
    yield* prepareCluster(dataDirectory, launcher)

    const cannotStart = (error: { readonly message: string }) =>
      new EmbeddedPostgresError({
        reason: new StartFailed({ dataDirectory, detail: error.message, log: "" }),
      })
    const socketDirectory = yield* Effect.mapError(makeSocketDirectory(launcher.user), cannotStart)
    const { server, scope: serverScope } = yield* startInOwnScope({
      launcher,
      dataDirectory,
      socketDirectory,
      settings: options.settings ?? {},
    }).pipe(
      Effect.retry({
        while: isHeld,
        schedule: Schedule.spaced("100 millis").pipe(Schedule.upTo({ duration: "10 seconds" })),
      }),
    )
    yield* Effect.mapError(recordOwner(dataDirectory, socketDirectory), cannotStart)

    const exited = yield* Deferred.make<ServerExit>()
    yield* server.exited.pipe(
      Effect.flatMap((exit) => Deferred.succeed(exited, exit)),
      Effect.andThen(Scope.close(serverScope, Exit.void)),
      Effect.forkIn(scope),
    )
    return EmbeddedPostgres.of({
      socketDirectory,
      socketPath: path.join(socketDirectory, socketName),
      dataDirectory,
      version: launcher.version,
      pid: server.pid,
      exited: Deferred.await(exited),
    })
  })

  /** The server for as long as the layer lives. */
  static readonly layer = (options: EmbeddedPostgresOptions) => Layer.effect(this, this.make(options))
}
