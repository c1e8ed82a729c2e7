/** Runs a short-lived program to its end and keeps what it said. */
import { Effect, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"

export interface CommandResult {
  /** 0 when it succeeded; 127 when it could not be started, 1 when a signal ended it. */
  readonly exitCode: number
  /** Standard output and error as they came, trimmed. */
  readonly output: string
}

/**
 * What PostgreSQL's programs see of our environment: messages in English, because they are matched, and none of the
 * variables that would override the settings given.
 */
export const environment = {
  LC_ALL: "C",
  PGDATA: undefined,
  PGPORT: undefined,
  PGCLIENTENCODING: undefined,
  PGDATESTYLE: undefined,
}

/** Never fails: a program that cannot run is a result too. Interruption ends the program and its children. */
export const runCommand = Effect.fnUntraced(function* (program: string, ...args: ReadonlyArray<string>) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const started = yield* Effect.result(
    spawner.spawn(
      ChildProcess.make(program, args, {
        stdin: "ignore",
        env: environment,
        extendEnv: true,
        forceKillAfter: "2 seconds",
      }),
    ),
  )
  if (started._tag === "Failure") {
    return { exitCode: 127, output: started.failure.message } satisfies CommandResult
  }
  const handle = started.success
  const output = yield* handle.all.pipe(
    Stream.decodeText,
    Stream.mkString,
    Effect.orElseSucceed(() => ""),
  )
  const exitCode = yield* Effect.orElseSucceed(handle.exitCode, () => 1)
  return { exitCode, output: output.trim() } satisfies CommandResult
}, Effect.scoped)
