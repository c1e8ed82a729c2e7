/** A model loaded in a runner process; loaded again, when it is next needed, after its runner was lost. */
import {
  type LoadedModel,
  LoadFailed,
  RunFailed,
  RunnerLost,
  type RunResult,
  RuntimeError,
  type Tensors,
} from "@modelforge/core"
import { Effect } from "effect"
import { RunnerGone, type RunnerLink } from "./RunnerLink.ts"
import type { RunnerProcess } from "./RunnerProcess.ts"

/** So many runners may be lost during a load, this model's fault or not, before the load fails. */
const maxLosses = 4
/** So many of them may be lost to the load itself. */
const maxCrashes = 2
/** After its loads crashed runners a model is not tried again for so long, for its neighbours' sake. */
const holdOffMs = 5000
/** How long the end of a model waits for its memory: a run that its caller withdrew may hold the runner for ever. */
const releaseLimitMs = 500

interface Seat {
  readonly link: RunnerLink
  readonly handle: number
}

export class RemoteModel implements LoadedModel {
  readonly #file: string
  readonly #intraOpThreads: number
  readonly #runner: () => Promise<RunnerProcess>
  #seat: Seat | undefined
  #loading: Promise<Seat> | undefined
  #held: { readonly error: RuntimeError; readonly until: number } | undefined
  readonly #running = new Set<Promise<unknown>>()
  #closed = false

  constructor(file: string, intraOpThreads: number, runner: () => Promise<RunnerProcess>) {
    this.#file = file
    this.#intraOpThreads = intraOpThreads
    this.#runner = runner
  }

  readonly run = (
    inputs: Tensors,
    outputs: ReadonlyArray<string>,
    signal?: AbortSignal,
  ): Promise<RunResult> => {
    const seat = this.#seat
    const result =
      seat?.link.alive === true && !this.#closed
        ? seat.link.run(seat.handle, inputs, outputs, signal)
        : this.#runLater(inputs, outputs, signal)
    const outcome = result.catch(asRuntimeError)
    this.#running.add(outcome)
    const done = () => this.#running.delete(outcome)
    outcome.then(done, done)
    return outcome
  }

  async #runLater(
    inputs: Tensors,
    outputs: ReadonlyArray<string>,
    signal: AbortSignal | undefined,
  ): Promise<RunResult> {
    const seat = await unlessAborted(this.ready(), signal)
    return seat.link.run(seat.handle, inputs, outputs, signal)
  }

  /** The first load. */
  readonly load: Effect.Effect<void, RuntimeError> = Effect.tryPromise({
    try: () => this.ready(),
    catch: (cause) => cause,
  }).pipe(
    Effect.catch((cause) => (cause instanceof RuntimeError ? Effect.fail(cause) : Effect.die(cause))),
    Effect.asVoid,
  )

  /** Loads the model unless it is loaded; all callers share one load. Rejects with a `RuntimeError`. */
  ready(): Promise<Seat> {
    if (this.#closed) return Promise.reject(lost("the model was unloaded"))
    if (this.#seat?.link.alive === true) return Promise.resolve(this.#seat)
    if (this.#held !== undefined && performance.now() < this.#held.until) {
      return Promise.reject(this.#held.error)
    }
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  async #load(): Promise<Seat> {
    let crashes = 0
    for (let losses = 0; ; losses++) {
      const { link } = await this.#runner()
      try {
        const { handle } = await link.load(this.#file, this.#intraOpThreads)
        this.#seat = { link, handle }
        this.#held = undefined
        return this.#seat
      } catch (cause) {
        if (!(cause instanceof RunnerGone)) throw cause
        if (cause.culprit) crashes++
        if (crashes >= maxCrashes) {
          const error = new RuntimeError({
            reason: new LoadFailed({ detail: `loading it crashed the runtime (${cause.detail})` }),
          })
          this.#held = { error, until: performance.now() + holdOffMs }
          throw error
        }
        if (losses + 1 >= maxLosses || this.#closed) throw lost(cause.detail)
      }
    }
  }

  /** Waits for the runs that somebody waits for, then gives the memory back. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled([...this.#running, this.#loading])
    const seat = this.#seat
    this.#seat = undefined
    if (seat?.link.alive === true) await settledWithin(releaseLimitMs, seat.link.release(seat.handle))
  }
}

const settledWithin = async (ms: number, promise: Promise<void>): Promise<void> => {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  await Promise.race([promise, late])
  clearTimeout(timer)
}

const lost = (detail: string): RuntimeError => new RuntimeError({ reason: new RunnerLost({ detail }) })

const asRuntimeError = (cause: unknown): never => {
  if (cause instanceof RunnerGone) throw lost(cause.detail)
  // Inputs beyond what a frame can hold.
  if (cause instanceof RangeError) {
    throw new RuntimeError({ reason: new RunFailed({ detail: cause.message }) })
  }
  throw cause
}

/** Leaves off waiting when the caller does. */
const unlessAborted = <A>(promise: Promise<A>, signal: AbortSignal | undefined): Promise<A> => {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason)
    if (signal.aborted) return leave()
    signal.addEventListener("abort", leave, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave))
  })
}
