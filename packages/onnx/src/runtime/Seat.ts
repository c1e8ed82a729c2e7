/** One instance of a model: its session in one runner, loaded again when it is needed after that runner was lost. */
import { LoadFailed, RunnerLost, type RunResult, RuntimeError, type Tensors } from "@modelforge/core"
import type { Quarantine } from "./Quarantine.ts"
import { RunnerGone, type RunnerLink, type RunOptions } from "./RunnerLink.ts"
import type { PoolRunner } from "./RunnerPool.ts"

/** So many runners may be lost during a load, this model's fault or not, before the load fails. */
const maxLosses = 4
/** So many of them may be lost to the load itself. */
const maxCrashes = 2
/** A reload that failed is not repeated before. */
const reloadAfterMs = 1000

export interface SeatOptions {
  readonly file: string
  readonly intraOpThreads: number
  readonly quarantine: Quarantine
}

interface Session {
  readonly link: RunnerLink
  readonly handle: number
}

export class Seat {
  readonly runner: PoolRunner
  readonly #options: SeatOptions
  #session: Session | undefined
  #loading: Promise<void> | undefined
  #failedAt = Number.NEGATIVE_INFINITY
  #closed = false
  /** Runs that were sent and not answered. */
  outstanding = 0

  constructor(runner: PoolRunner, options: SeatOptions) {
    this.runner = runner
    this.#options = options
    runner.seats++
  }

  /** It takes runs. */
  get alive(): boolean {
    return this.#session?.link.alive === true
  }

  /** Its runner is at work on a run of this very model. */
  get isAtWork(): boolean {
    return this.#session?.link.isAtWorkOn(this.#session.handle) === true
  }

  /** Rejects with a `RuntimeError`, or `RunnerGone`. */
  run(
    members: ReadonlyArray<Tensors>,
    outputs: ReadonlyArray<string>,
    options: RunOptions,
  ): Promise<RunResult> {
    const session = this.#session
    return session === undefined
      ? Promise.reject(new RunnerGone("the model was unloaded", false))
      : session.link.run(session.handle, members, outputs, options)
  }

  get isLoading(): boolean {
    return this.#loading !== undefined
  }

  /** Whether a reload that nobody waits for is worth an attempt. */
  mayReload(now: number): boolean {
    return now - this.#failedAt > reloadAfterMs
  }

  /** Loads the model unless it is loaded; all callers share one load. Rejects with a `RuntimeError`. */
  load(now: number): Promise<void> {
    if (this.alive) return Promise.resolve()
    this.#loading ??= this.#load()
      .catch((error: unknown) => {
        this.#failedAt = now
        throw error
      })
      .finally(() => {
        this.#loading = undefined
      })
    return this.#loading
  }

  async #load(): Promise<void> {
    const { file, intraOpThreads, quarantine } = this.#options
    let crashes = 0
    for (let losses = 1; ; losses++) {
      const { link } = await this.runner.acquire()
      if (this.#closed) throw lost("the model was unloaded")
      try {
        const { handle } = await link.load(file, intraOpThreads)
        this.#session = { link, handle }
        if (this.#closed) await this.#release()
        return
      } catch (cause) {
        if (!(cause instanceof RunnerGone)) throw cause
        if (cause.culprit) {
          crashes++
          quarantine.crashed(cause.detail)
        }
        if (cause.verdict !== undefined) throw loadFailed(detailOf(cause.verdict))
        if (quarantine.error !== undefined) throw quarantine.error
        if (crashes >= maxCrashes) throw loadFailed(`loading it crashed the runtime (${cause.detail})`)
        if (losses >= maxLosses) throw lost(cause.detail)
      }
    }
  }

  /** What it takes in memory, in bytes; 0 while it is not loaded. */
  memoryBytes(): Promise<number> {
    const session = this.#session
    return session === undefined ? Promise.resolve(0) : session.link.measure(session.handle)
  }

  /** Gives the memory back, behind the runs that were sent; does not wait for those that take long. */
  async close(now: number): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.runner.seats--
    const released = this.#release()
    if (!this.runner.isStuck(now)) await released
  }

  async #release(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    if (session?.link.alive === true) this.runner.released(await session.link.release(session.handle))
  }
}

const detailOf = ({ reason }: RuntimeError): string => ("detail" in reason ? reason.detail : reason.message)
const loadFailed = (detail: string) => new RuntimeError({ reason: new LoadFailed({ detail }) })
export const lost = (detail: string): RuntimeError => new RuntimeError({ reason: new RunnerLost({ detail }) })
