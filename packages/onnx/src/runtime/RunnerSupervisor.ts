/** Keeps one runner process alive: starts it when it is first needed, and again whenever it is lost. */
import { RunnerLost, type RuntimeError, RuntimeError as RuntimeFailure } from "@modelforge/core"
import { Clock, Effect, Exit, Latch, Schedule, type Scope } from "effect"
import { acquire, type RunnerProcess, type RunnerProcessOptions } from "./RunnerProcess.ts"
import * as RunnerWatch from "./RunnerWatch.ts"

/** Between starts, as long as runners don't live long: 50 ms, doubling up to 5 s. */
const backoff = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("5 seconds")])
/** A runner that lived this long is followed by the next one at once. */
const healthyMs = 10_000

interface Waiter {
  readonly resolve: (runner: RunnerProcess) => void
  readonly reject: (error: RuntimeError) => void
}

export interface RunnerSupervisor {
  /** The runner, or the next one. Rejects with a `RuntimeError` when the next start fails. */
  readonly runner: () => Promise<RunnerProcess>
  /** The runner, when there is one. */
  readonly current: () => RunnerProcess | undefined
}

export interface SupervisorOptions extends RunnerProcessOptions, RunnerWatch.WatchOptions {}

export const make = Effect.fnUntraced(function* (
  options: SupervisorOptions,
): Effect.fn.Return<RunnerSupervisor, never, Scope.Scope> {
  const wanted = yield* Latch.make(false)
  let current: RunnerProcess | undefined
  let closed = false
  let waiters: Array<Waiter> = []
  const takeWaiters = () => {
    const taken = waiters
    waiters = []
    return taken
  }

  const serve = Effect.gen(function* () {
    const runner = yield* acquire(options)
    current = runner
    for (const waiter of takeWaiters()) waiter.resolve(runner)
    yield* Effect.raceFirst(
      Effect.promise(() => runner.gone),
      RunnerWatch.watch(runner, options),
    )
    return runner.link.retired
  }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        current = undefined
      }),
    ),
    Effect.scoped,
    Effect.tapError((error) =>
      Effect.sync(() => {
        for (const waiter of takeWaiters()) waiter.reject(error)
      }),
    ),
  )

  /** Succeeds when a runner that lived long is gone, or one that was to go; fails when a start or a young runner did. */
  const life = Effect.gen(function* () {
    yield* wanted.await
    const startedAt = yield* Clock.currentTimeMillis
    const exit = yield* Effect.exit(serve)
    const retired = Exit.isSuccess(exit) && exit.value
    if (!retired && (yield* Clock.currentTimeMillis) - startedAt < healthyMs)
      return yield* Effect.fail("short-lived")
  })

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      for (const waiter of takeWaiters()) waiter.reject(stopped())
    }),
  )
  yield* life.pipe(Effect.retry(backoff), Effect.forever, Effect.forkScoped)

  return {
    current: () => current,
    runner: () => {
      if (closed) return Promise.reject(stopped())
      if (current?.link.alive === true) return Promise.resolve(current)
      wanted.openUnsafe()
      return new Promise((resolve, reject) => waiters.push({ resolve, reject }))
    },
  }
})

const stopped = () => new RuntimeFailure({ reason: new RunnerLost({ detail: "the runtime was stopped" }) })
