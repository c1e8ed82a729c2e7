/** A runner process: started, connected, and ended with its scope. */
import { spawn } from "node:child_process"
import { Duplex } from "node:stream"
import { fileURLToPath } from "node:url"
import { RunnerUnavailable, RuntimeError } from "@modelforge/core"
import { Duration, Effect, type Scope } from "effect"
import { RunnerLink } from "./RunnerLink.ts"
import { readingInPlace } from "./readingInPlace.ts"

export interface RunnerProcessOptions {
  /** The runner's module; by default the one of this package. Bundlers that move this package need to say it. */
  readonly entry?: URL
  /** The whole environment of a runner, beside what its libraries are told. Empty by default. */
  readonly environment?: Readonly<Record<string, string>>
}

/** How long a process may take until its JavaScript runs. */
const startLimit = Duration.seconds(20)
/** How long a process may take to end after its connection was closed. */
const endLimitMs = 2000
/** Of what the process said on its error output, so much is kept to explain a start that failed. */
const errorOutputBytes = 4096

/**
 * glibc raises this threshold to the largest block that was ever freed, and then keeps the weights of released models
 * for the next ones: of 20 models that come and go, a runner held 360 MiB instead of 190, and what a model takes could
 * not be told any more. Fixed, blocks from 1 MiB on go back to the system. Other allocators pass it over.
 */
const allocation = { MALLOC_MMAP_THRESHOLD_: String(2 ** 20) }

/** In source beside this folder; in the package, where all is flat, beside this file. */
const ownEntry = (): URL =>
  import.meta.url.endsWith(".ts")
    ? new URL("../runner/main.ts", import.meta.url)
    : new URL("./runner.js", import.meta.url)

export interface RunnerProcess {
  readonly link: RunnerLink
  readonly pid: number
  readonly kill: () => void
  /** Kills it because of the request it is at work on, which fails with `verdict`. */
  readonly end: (verdict: RuntimeError) => void
  /** Resolves with how the process ended, for people, once all that it sent was read. */
  readonly gone: Promise<string>
}

const describeEnd = (code: number | null, signal: NodeJS.Signals | null): string =>
  signal === null ? `exited with code ${code ?? "unknown"}` : `signal ${signal}`

const unavailable = (detail: string): RuntimeError =>
  new RuntimeError({ reason: new RunnerUnavailable({ detail }) })

interface Started extends RunnerProcess {
  readonly errorOutput: () => string
  readonly close: () => Promise<void>
}

const start = (options: RunnerProcessOptions): Started => {
  const entry = options.entry ?? ownEntry()
  const child = spawn(
    process.execPath,
    [...(entry.pathname.endsWith(".ts") ? ["--conditions=modelforge-source"] : []), fileURLToPath(entry)],
    {
      // A group of its own: a terminal's Ctrl-C is for the host, which then ends its runners in order.
      detached: true,
      env: { ...allocation, ...options.environment, ORT_DISABLE_TELEMETRY: "1" },
      stdio: ["pipe", "ignore", "pipe", "pipe"],
      windowsHide: true,
    },
  )
  const { promise: gone, resolve: markGone } = Promise.withResolvers<string>()
  let ended: string | undefined
  let closed = false
  child.on("error", (cause) => {
    // A process that never was has no exit either.
    if (child.pid !== undefined) return
    markGone(`it could not be started (${"code" in cause ? String(cause.code) : "unknown error"})`)
  })
  // Where the system has no descriptors left there are no pipes at all.
  const pipe = child.stdio?.[3]
  if (!(pipe instanceof Duplex)) throw new Error("the system has no room for another process")
  const stream = readingInPlace(pipe, (chunk) => link.read(chunk))
  const link = new RunnerLink(stream)
  // It is never written to; the process watches it for the end of this one.
  child.stdin?.on("error", () => {})
  let errorOutput = ""
  child.stderr?.on("data", (chunk: Buffer) => {
    errorOutput = (errorOutput + chunk.toString()).slice(-errorOutputBytes)
  })
  child.stderr?.on("error", () => {})

  const settle = () => {
    if (ended === undefined || !closed) return
    link.lose(ended)
    markGone(ended)
  }
  child.on("exit", (code, signal) => {
    ended = describeEnd(code, signal)
    settle()
  })
  stream.on("close", () => {
    closed = true
    // A process without a connection is useless, whatever it still does.
    const timer = setTimeout(() => child.kill("SIGKILL"), endLimitMs)
    void gone.then(() => clearTimeout(timer))
    settle()
  })
  return {
    link,
    pid: child.pid ?? 0,
    kill: () => {
      child.kill("SIGKILL")
    },
    end: (verdict) => {
      link.condemn(verdict)
      child.kill("SIGKILL")
    },
    gone,
    errorOutput: () => errorOutput,
    close: async () => {
      // With nothing at work it leaves at once by itself; otherwise nobody waits for its answers any more.
      if (link.pending > 0) child.kill("SIGKILL")
      stream.end()
      await gone
    },
  }
}

/** The last line that says something, for people: a stack trace and paths are not. */
const explain = (errorOutput: string): string => {
  const line = errorOutput.split("\n").find((text) => /^\w*Error\b/.test(text))
  return line === undefined ? "" : `: ${line.replace(/(file:\/\/)?\/\S+/g, "…").slice(0, 300)}`
}

/** Starts a process and waits until it runs. It is ended when the scope closes. */
export const acquire = Effect.fnUntraced(function* (
  options: RunnerProcessOptions,
): Effect.fn.Return<RunnerProcess, RuntimeError, Scope.Scope> {
  const started = yield* Effect.acquireRelease(
    Effect.try({
      try: () => start(options),
      catch: (cause) => unavailable(cause instanceof Error ? cause.message : String(cause)),
    }),
    (runner) => Effect.promise(runner.close),
  )
  const ready = yield* Effect.promise(() =>
    Promise.race([started.link.ready.then(() => undefined), started.gone]),
  ).pipe(
    Effect.timeoutOrElse({
      duration: startLimit,
      orElse: () => {
        started.kill()
        return Effect.fail(unavailable(`it did not start within ${Duration.format(startLimit)}`))
      },
    }),
  )
  if (ready !== undefined) {
    return yield* unavailable(`the process ended while it started: ${ready}${explain(started.errorOutput())}`)
  }
  return started
})
