/** A model loaded in runner processes, on one or several instances. Plain code; a run passes here. */
import type { LoadedModel, RunResult, Tensors } from "@modelforge/core"
import { RuntimeError } from "@modelforge/core"
import { Effect } from "effect"
import { monotonicMs } from "../wire/monotonicMs.ts"
import { Quarantine, type QuarantineOptions } from "./Quarantine.ts"
import { RunnerGone } from "./RunnerLink.ts"
import type { RunnerPool } from "./RunnerPool.ts"
import { lost, Seat } from "./Seat.ts"

/** Runs of a model that is unloaded get so long to finish. Nobody waits for their answers any more. */
const closeWaitMs = 500

export interface RemoteModelOptions {
  readonly file: string
  /** Bytes of the file. */
  readonly size: number
  readonly instances: number
  readonly intraOpThreads: number
  readonly runLimitMs: number
  readonly quarantine: QuarantineOptions
}

/** A run until it is answered. */
interface Run {
  readonly members: ReadonlyArray<Tensors>
  readonly outputs: ReadonlyArray<string>
  readonly resolve: (result: RunResult) => void
  readonly reject: (error: unknown) => void
  /** Where it was sent last; only that decides when it fails. */
  seat: Seat | undefined
}

export class RemoteModel implements LoadedModel {
  readonly instances: number
  readonly #pool: RunnerPool
  readonly #size: number
  readonly #runLimitMs: number
  readonly #quarantine: Quarantine
  readonly #seats: ReadonlyArray<Seat>
  /** Where the search for a seat begins, so that equals take turns. */
  #turn = 0
  /** Not answered. */
  readonly #runs = new Set<Run>()
  /** Those of them that no seat took yet, in order. */
  #waiting: Array<Run> = []
  #closed = false
  #drained: (() => void) | undefined

  constructor(pool: RunnerPool, options: RemoteModelOptions) {
    this.instances = options.instances
    this.#pool = pool
    this.#size = options.size
    this.#runLimitMs = options.runLimitMs
    this.#quarantine = new Quarantine(options.quarantine, monotonicMs)
    const seatOptions = { ...options, quarantine: this.#quarantine }
    this.#seats = pool.emptiest(options.instances).map((runner) => new Seat(runner, seatOptions))
  }

  get concurrency(): number {
    let alive = 0
    for (const seat of this.#seats) if (seat.alive) alive++
    return 2 * Math.max(1, alive)
  }

  get failure(): RuntimeError | undefined {
    return this.#quarantine.error
  }

  /** Weights that lie in memory which the runner had already are counted all the same. */
  readonly memoryBytes = async (): Promise<number> => {
    const grown = await Promise.all(this.#seats.map((seat) => seat.memoryBytes()))
    return grown.reduce((sum, bytes) => sum + Math.max(bytes, this.#size), 0)
  }

  /** The first load, of all instances. */
  readonly load: Effect.Effect<void, RuntimeError> = Effect.tryPromise({
    try: () => Promise.all(this.#seats.map((seat) => seat.load(monotonicMs()))),
    catch: (cause) => cause,
  }).pipe(
    Effect.catch((cause) => (cause instanceof RuntimeError ? Effect.fail(cause) : Effect.die(cause))),
    Effect.asVoid,
  )

  readonly run = (members: ReadonlyArray<Tensors>, outputs: ReadonlyArray<string>): Promise<RunResult> =>
    new Promise((resolve, reject) => {
      const refusal = this.#closed ? lost("the model was unloaded") : this.#quarantine.refusal()
      if (refusal !== undefined) return reject(refusal)
      const run: Run = { members, outputs, resolve, reject, seat: undefined }
      this.#runs.add(run)
      this.#place(run)
    })

  #place(run: Run): void {
    const seat = this.#choose(monotonicMs())
    if (seat === undefined) this.#waiting.push(run)
    else this.#send(run, seat)
  }

  /** The seat that is likely to answer first. Undefined when none should take a run now. */
  #choose(now: number): Seat | undefined {
    let free: Seat | undefined
    let stuck: Seat | undefined
    let ownStuck = false
    let dead = false
    this.#turn++
    for (let offset = 0; offset < this.#seats.length; offset++) {
      const seat = this.#seats[(this.#turn + offset) % this.#seats.length]
      if (seat === undefined) continue
      if (!seat.alive) dead = true
      else if (seat.runner.isStuck(now)) {
        stuck = lighter(stuck, seat)
        ownStuck ||= seat.isAtWork
      } else free = lighter(free, seat)
    }
    if (dead) this.#reload(now, free === undefined && stuck === undefined)
    if (free === undefined) return stuck
    // A model that takes long must leave room for others.
    const leavesRoom = !ownStuck || free.runner.seats === 1 || !this.#pool.isLastFree(free.runner, now)
    return leavesRoom ? free : undefined
  }

  #send(run: Run, seat: Seat): void {
    run.seat = seat
    seat.outstanding++
    const options = { limitMs: this.#runLimitMs, onStalled: () => this.#move(run, seat) }
    seat.run(run.members, run.outputs, options).then(
      (result) => {
        seat.outstanding--
        this.#quarantine.passed(true)
        run.resolve(result)
        this.#settle(run)
      },
      (cause: unknown) => {
        seat.outstanding--
        this.#fail(run, seat, cause)
      },
    )
  }

  #fail(run: Run, seat: Seat, cause: unknown): void {
    const gone = cause instanceof RunnerGone ? cause : undefined
    if (gone?.culprit === true) this.#quarantine.crashed(gone.detail)
    else this.#quarantine.passed(gone === undefined)
    // Else it was sent elsewhere since, and is answered there.
    if (run.seat === seat) {
      run.reject(gone === undefined ? cause : (gone.verdict ?? lost(gone.detail)))
      this.#settle(run)
    } else this.#placeWaiting()
  }

  /** A run that waits behind another one that takes long is sent to a free instance as well. */
  #move(run: Run, from: Seat): void {
    if (run.seat !== from || !this.#runs.has(run)) return
    const now = monotonicMs()
    const seat = this.#choose(now)
    if (seat !== undefined && seat !== from && !seat.runner.isStuck(now)) this.#send(run, seat)
  }

  #settle(run: Run): void {
    this.#runs.delete(run)
    this.#placeWaiting()
    if (this.#runs.size === 0) this.#drained?.()
  }

  #placeWaiting(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const run of waiting) this.#place(run)
  }

  /** In the background; runs wait for it only when there is no other instance, which is when it is `needed`. */
  #reload(now: number, needed: boolean): void {
    for (const seat of this.#seats) {
      if (seat.alive || seat.isLoading || (!needed && !seat.mayReload(now))) continue
      seat.load(now).then(
        () => this.#placeWaiting(),
        (error: unknown) => this.#failReload(error),
      )
    }
  }

  #failReload(error: unknown): void {
    this.#quarantine.passed(false)
    const hopeless = this.#seats.every((seat) => !seat.alive && !seat.isLoading)
    if (!hopeless) this.#placeWaiting()
    else
      for (const run of this.#waiting.splice(0)) {
        run.reject(error)
        this.#settle(run)
      }
  }

  /** Waits a little for the runs that were begun, then gives the memory back. */
  async close(): Promise<void> {
    this.#closed = true
    const patience = elapsed(closeWaitMs)
    if (this.#runs.size > 0) {
      const drained = new Promise<void>((resolve) => {
        this.#drained = resolve
      })
      await Promise.race([drained, patience])
    }
    for (const run of this.#runs) run.reject(lost("the model was unloaded"))
    this.#runs.clear()
    this.#waiting = []
    const now = monotonicMs()
    await Promise.race([Promise.all(this.#seats.map((seat) => seat.close(now))), patience])
  }
}

const elapsed = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref())

const lighter = (a: Seat | undefined, b: Seat): Seat =>
  a === undefined ||
  b.outstanding < a.outstanding ||
  (b.outstanding === a.outstanding && b.runner.pending < a.runner.pending)
    ? b
    : a
