/** Watches a runner at work: ends one whose run takes too long or that holds too much memory. */
import { RunFailed, RunTimedOut, RuntimeError } from "@modelforge/core"
import { Effect, Schedule } from "effect"
import { monotonicMs } from "../wire/monotonicMs.ts"
import type { RunnerProcess } from "./RunnerProcess.ts"
import { residentBytes } from "./residentBytes.ts"

export interface WatchOptions {
  /** Resident memory that a runner may hold, in bytes; watched on Linux, four times a second. Default: no limit. */
  readonly runnerMemoryBytes?: number | undefined
}

/** What a runner has been at work on for so long should not keep others waiting. */
export const stuckAfterMs = 1000

/** After what this process has read by now was handled: it may itself have been late. */
const caughtUp = Effect.promise(() => new Promise((resolve) => setImmediate(() => setImmediate(resolve))))

const watchRuns = ({ link, end }: RunnerProcess): Effect.Effect<never> => {
  const isLate = (afterMs: number) => link.workingMs(monotonicMs()) > afterMs
  const look = Effect.gen(function* () {
    const limitMs = link.limitMs
    if (!isLate(Math.min(stuckAfterMs, limitMs))) return
    yield* caughtUp
    if (isLate(stuckAfterMs)) link.reportStall()
    if (isLate(limitMs) && link.limitMs === limitMs)
      end(new RuntimeError({ reason: new RunTimedOut({ limitMs }) }))
  })
  return look.pipe(Effect.repeat(Schedule.spaced("100 millis")), Effect.andThen(Effect.never))
}

const watchMemory = ({ pid, end }: RunnerProcess, limit: number): Effect.Effect<never> =>
  residentBytes(pid).pipe(
    Effect.map((bytes) => {
      if (bytes <= limit) return
      const mebibytes = Math.round(limit / 1024 ** 2)
      const detail = `it needed more memory than a runner may use (${mebibytes} MiB)`
      end(new RuntimeError({ reason: new RunFailed({ detail }) }))
    }),
    Effect.repeat(Schedule.spaced("250 millis")),
    Effect.andThen(Effect.never),
  )

/** Until it is interrupted. */
export const watch = (runner: RunnerProcess, { runnerMemoryBytes }: WatchOptions): Effect.Effect<never> =>
  runnerMemoryBytes === undefined
    ? watchRuns(runner)
    : Effect.raceFirst(watchRuns(runner), watchMemory(runner, runnerMemoryBytes))
