/** One run of the `postgres` program: started, watched, stopped. */
import { Effect, Fiber, Option, Schedule, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { EmbeddedPostgresError, StartFailed } from "./EmbeddedPostgresError.ts"
import { commandOf, type Launcher } from "./Launcher.ts"
import { readServerLock } from "./ownership.ts"
import { environment } from "./runCommand.ts"

/** A server that has ended without being asked to. */
export interface ServerExit {
  /** Exit status; none when a signal ended it. */
  readonly exitCode: Option.Option<number>
  /** The last lines of the server's log. */
  readonly log: string
}

export interface ServerProcess {
  readonly pid: number
  /** Completes when the server has ended, whatever the reason. */
  readonly exited: Effect.Effect<ServerExit>
}

export interface ServerOptions {
  readonly launcher: Launcher
  readonly dataDirectory: string
  readonly socketDirectory: string
  readonly settings: Readonly<Record<string, string>>
}

const defaultSettings = {
  fsync: "on",
  synchronous_commit: "on",
  max_connections: "50",
  shared_buffers: "64MB",
  max_wal_size: "256MB",
  // No replicas, so no more log than recovery needs.
  wal_level: "minimal",
  max_wal_senders: "0",
  // Parallel queries want /dev/shm, of which containers have little.
  max_parallel_workers_per_gather: "0",
  jit: "off",
  timezone: "UTC",
  log_timezone: "UTC",
}

/** Not for callers to change: they keep the server private and its log with us. */
const ownSettings = (socketDirectory: string) => ({
  listen_addresses: "",
  port: "5432",
  unix_socket_directories: socketDirectory,
  unix_socket_permissions: "0700",
  logging_collector: "off",
  log_destination: "stderr",
})

const keptLogLines = 40
const startLimit = "2 minutes"

/** Fast shutdown; then without a checkpoint; then by force. The data is safe each time, the next start takes longer. */
const stop = (handle: ChildProcessSpawner.ChildProcessHandle) =>
  handle.kill({ killSignal: "SIGINT" }).pipe(
    Effect.interruptible,
    Effect.timeoutOrElse({
      duration: "5 seconds",
      orElse: () => handle.kill({ killSignal: "SIGQUIT", forceKillAfter: "2 seconds" }),
    }),
    Effect.ignore,
  )

/**
 * Where the kernel cannot tie the server to us (macOS has no `setpriv`), a shell waits for the end of a pipe that only
 * we hold open, and then interrupts the server. It is ended before the server is, so it never signals a recycled number.
 */
const startWatchdog = Effect.fnUntraced(function* (pid: number) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  yield* spawner.spawn(
    ChildProcess.make("sh", ["-c", 'read -r _; kill -INT "$0"', String(pid)], {
      stdin: "pipe",
      stdout: "ignore",
      stderr: "ignore",
      killSignal: "SIGKILL",
    }),
  )
})

/** The spawned process is the server itself: every word before it ends in `exec`. */
const spawnServer = Effect.fnUntraced(function* (options: ServerOptions) {
  const { launcher, dataDirectory, socketDirectory } = options
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const settings = { ...defaultSettings, ...options.settings, ...ownSettings(socketDirectory) }
  const [program, args] = commandOf(launcher, launcher.binaries.postgres, [
    "-D",
    dataDirectory,
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ])
  const handle = yield* spawner.spawn(
    ChildProcess.make(program, args, {
      stdin: "ignore",
      stdout: "ignore",
      // Its own session: a terminal's Ctrl-C is for us, and we stop the server when we are done with it.
      detached: true,
      env: environment,
      extendEnv: true,
      killSignal: "SIGQUIT",
      forceKillAfter: "2 seconds",
    }),
  )
  yield* Effect.addFinalizer(() => stop(handle))
  if (!launcher.diesWithParent) yield* startWatchdog(handle.pid)
  return handle
})

/**
 * Starts a server in the current scope and waits until it accepts connections.
 *
 * Fails with `StartFailed`, its log lines included; when the scope closes, the server is stopped.
 */
export const startServer = Effect.fnUntraced(function* (options: ServerOptions) {
  const { dataDirectory } = options
  const lines: Array<string> = []
  const failed = (detail: string) =>
    new EmbeddedPostgresError({
      reason: new StartFailed({ dataDirectory, detail, log: lines.join("\n") }),
    })

  const handle = yield* spawnServer(options).pipe(Effect.mapError((error) => failed(error.message)))
  const reader = yield* handle.stderr.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.runForEach((line) => {
      lines.push(line)
      if (lines.length > keptLogLines) lines.shift()
      return Effect.logDebug(line)
    }),
    Effect.annotateLogs({ process: "postgres" }),
    Effect.ignore,
    Effect.forkScoped,
  )
  const exited = Effect.option(handle.exitCode).pipe(
    // Orphaned backends may hold the pipe open for a moment longer than anyone wants to wait.
    Effect.tap(Effect.timeoutOption(Fiber.await(reader), "1 second")),
    Effect.map((exitCode): ServerExit => ({ exitCode, log: lines.join("\n") })),
  )
  const ready = readServerLock(dataDirectory).pipe(
    Effect.repeat({
      until: Option.exists(({ pid, status }) => pid === handle.pid && status === "ready"),
      schedule: Schedule.spaced("10 millis"),
    }),
    Effect.timeoutOrElse({
      duration: startLimit,
      orElse: () => failed(`it was not ready within ${startLimit}`),
    }),
  )
  yield* Effect.raceFirst(
    ready,
    Effect.flatMap(exited, ({ exitCode }) =>
      failed(
        Option.match(exitCode, {
          onNone: () => "a signal ended it",
          onSome: (code) => `it ended with status ${code}`,
        }),
      ),
    ),
  )
  return { pid: handle.pid, exited } satisfies ServerProcess
})
