/** The real command as a child process, stopped by the test that started it, and a look at what it left behind. */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { afterAll } from "@effect/vitest"
import { Context, Effect, Exit, Layer, ManagedRuntime, Schedule, Scope } from "effect"
import { nothingRunsIn, temporaryFolder } from "../../../postgres/test/embedded/harness.ts"
import type { Target } from "./http.ts"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

export interface StartOptions {
  /** Default: `serve`. */
  readonly subcommand?: string
  /** After the subcommand. */
  readonly args?: ReadonlyArray<string>
  /** For `startServer`. Default: any that is free. */
  readonly port?: number
  /** Beside PATH and TMPDIR; nothing of the test's own environment gets through. */
  readonly environment?: Readonly<Record<string, string>>
  /** Working directory and place of temporary files, so that all its processes can be told by it. */
  readonly folder?: string
}

export interface Command {
  readonly pid: number
  readonly folder: string
  readonly stdout: () => string
  readonly stderr: () => string
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** The exit code, or the signal that ended it. */
  readonly exit: Effect.Effect<number | NodeJS.Signals>
}

/** Starts the command. With the scope it is killed, and must leave no process behind. */
export const startCommand = Effect.fnUntraced(function* (options: StartOptions = {}) {
  const folder = options.folder ?? (yield* temporaryFolder)
  const { subcommand = "serve", args = [], environment = {} } = options
  const started = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, ["--conditions=modelforge-source", main, subcommand, ...args], {
        cwd: folder,
        // A terminal's Ctrl-C for the tests is not for the server.
        detached: true,
        env: { PATH: process.env["PATH"], TMPDIR: folder, ...environment },
        stdio: ["ignore", "pipe", "pipe"],
      })
      const said = { stdout: "", stderr: "" }
      child.stdout.on("data", (chunk: Buffer) => {
        said.stdout += chunk.toString()
      })
      child.stderr.on("data", (chunk: Buffer) => {
        said.stderr += chunk.toString()
      })
      const ended = new Promise<number | NodeJS.Signals>((resolve) =>
        child.on("close", (code, signal) => resolve(signal ?? code ?? Number.NaN)),
      )
      return { child, said, ended }
    }),
    ({ child, ended }) =>
      Effect.sync(() => child.kill("SIGKILL")).pipe(
        Effect.andThen(Effect.promise(() => ended)),
        Effect.andThen(nothingRunsIn(folder)),
      ),
  )
  const { child, said, ended } = started
  return {
    pid: child.pid ?? Number.NaN,
    folder,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    signal: (signal) => Effect.sync(() => child.kill(signal)),
    exit: Effect.promise(() => ended),
  } satisfies Command
})

export interface RunningServer extends Command {
  readonly url: string
  readonly target: Target
}

const readyLine = /^ready (http:\/\/\S+)$/m

/** Starts the command and waits until it is ready. */
export const startServer = Effect.fnUntraced(function* ({
  args = [],
  port = 0,
  ...options
}: StartOptions = {}) {
  const command = yield* startCommand({ ...options, args: ["--port", String(port), ...args] })
  const failed = (what: string) => Effect.die(new Error(`the server ${what}: ${command.stderr()}`))
  yield* Effect.sync(() => readyLine.test(command.stdout())).pipe(
    Effect.repeat({ until: (ready) => ready, schedule: Schedule.spaced("5 millis") }),
    Effect.raceFirst(Effect.flatMap(command.exit, (code) => failed(`ended with ${code}`))),
    Effect.timeoutOrElse({ duration: "60 seconds", orElse: () => failed("is not ready") }),
  )
  const url = readyLine.exec(command.stdout())?.[1] ?? ""
  return { ...command, url, target: { port: Number(new URL(url).port) } } satisfies RunningServer
})

export interface Finished {
  readonly code: number | NodeJS.Signals
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command other than `serve` to its end, with `input` on its standard input. */
export const runCommand = (
  folder: string,
  args: ReadonlyArray<string>,
  {
    environment = {},
    input = "",
  }: { readonly environment?: Readonly<Record<string, string>>; readonly input?: string } = {},
): Effect.Effect<Finished> =>
  Effect.callback((resume) => {
    const child = spawn(process.execPath, ["--conditions=modelforge-source", main, ...args], {
      cwd: folder,
      detached: true,
      env: { PATH: process.env["PATH"], TMPDIR: folder, ...environment },
      stdio: ["pipe", "pipe", "pipe"],
    })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.stdin.on("error", () => {})
    child.stdin.end(input)
    child.on("close", (code, signal) =>
      resume(Effect.succeed({ code: signal ?? code ?? Number.NaN, stdout, stderr })),
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

class SharedServer extends Context.Service<SharedServer, RunningServer>()("test/SharedServer") {}

/** Call it at the top of a test file: the server starts on first use and stops after the last test. */
export const sharedServer = (options: StartOptions) => {
  const runtime = ManagedRuntime.make(Layer.effect(SharedServer, startServer(options)))
  afterAll(() => runtime.dispose())
  return Effect.promise(() => runtime.runPromise(SharedServer))
}

/** Call it at the top of a test file: one folder for all its servers, one after another. Only the first makes the data. */
export const sharedFolder = () => {
  const scope = Scope.makeUnsafe()
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return Effect.runSync(Effect.cached(Scope.provide(temporaryFolder, scope)))
}

/** Resident memory of a process in MiB. */
export const residentMiB = (pid: number): number => {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
  return Number(kib) / 1024
}
