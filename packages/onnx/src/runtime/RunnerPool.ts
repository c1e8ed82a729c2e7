/** The runners of a machine: seats models on them and knows which of them are free. */
import { Effect, type Scope } from "effect"
import type { RunnerProcess } from "./RunnerProcess.ts"
import * as RunnerSupervisor from "./RunnerSupervisor.ts"
import { stuckAfterMs } from "./RunnerWatch.ts"

export interface PoolRunner {
  /** Sessions that it holds, or will hold. Kept by those who have them. */
  seats: number
  /** Requests that it has not answered, of all models. */
  readonly pending: number
  /** It has been at work on one thing for long. */
  readonly isStuck: (now: number) => boolean
  /** The process, or the next one. Rejects with a `RuntimeError`. */
  readonly acquire: () => Promise<RunnerProcess>
  /** Says, when a session was released, how many bytes the process holds for none. One that holds many is replaced. */
  readonly released: (excessBytes: number) => void
}

/**
 * A runner may hold so much for no model: the runtime itself takes some 50 MiB, and allocators keep something. Beyond,
 * what it was asked to give back it did not.
 */
const maxExcessBytes = 192 * 1024 ** 2

export interface RunnerPool {
  readonly size: number
  /** The `count` runners with the fewest sessions. */
  readonly emptiest: (count: number) => ReadonlyArray<PoolRunner>
  /** Whether nobody else could run if this runner got stuck as well. */
  readonly isLastFree: (runner: PoolRunner, now: number) => boolean
}

const toPoolRunner = ({ runner, current }: RunnerSupervisor.RunnerSupervisor): PoolRunner => ({
  seats: 0,
  get pending() {
    return current()?.link.pending ?? 0
  },
  isStuck: (now) => (current()?.link.workingMs(now) ?? 0) > stuckAfterMs,
  acquire: runner,
  // Its models are loaded again with their next runs, on the next process or on another instance.
  released: (excessBytes) => {
    if (excessBytes > maxExcessBytes) current()?.link.retire()
  },
})

export const make = Effect.fnUntraced(function* (
  size: number,
  options: RunnerSupervisor.SupervisorOptions,
): Effect.fn.Return<RunnerPool, never, Scope.Scope> {
  const supervisors = yield* Effect.forEach(
    Array.from({ length: size }, (_, index) => index),
    () => RunnerSupervisor.make(options),
  )
  const runners = supervisors.map(toPoolRunner)
  return {
    size,
    emptiest: (count) => runners.toSorted((a, b) => a.seats - b.seats).slice(0, count),
    isLastFree: (runner, now) => runners.every((other) => other === runner || other.isStuck(now)),
  }
})
