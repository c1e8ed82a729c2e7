/** A few threads that do jobs, one at a time each. Plain code: large bodies pass here, some thousand a second. */
import { type TransferListItem, Worker } from "node:worker_threads"
import type { CallerSignal } from "@modelforge/core"

/** Memory of a message that goes along with it, rather than being copied. */
export interface Message {
  readonly value: unknown
  readonly transfer: ReadonlyArray<TransferListItem>
}

/** What a thread answers: what came of the job, or that it failed. */
export type Outcome = { readonly done: unknown } | { readonly failed: unknown }

interface Waiting {
  readonly message: Message
  readonly resolve: (reply: unknown) => void
  readonly reject: (reason: unknown) => void
}

export interface ThreadPoolOptions {
  /** The threads' module: it posts an `Outcome` for each message. */
  readonly entry: URL
  readonly execArgv: Array<string>
  readonly threads: number
}

const closed = () => new Error("the threads are closed")

export class ThreadPool {
  readonly #options: ThreadPoolOptions
  readonly #idle: Array<Worker> = []
  readonly #jobs = new Map<Worker, Waiting | undefined>()
  readonly #waiting = new Set<Waiting>()
  #closed = false

  constructor(options: ThreadPoolOptions) {
    this.#options = options
  }

  /** Rejects with the signal's reason when it is aborted before a thread took the job, and when the thread dies of it. */
  run(message: Message, signal: CallerSignal): Promise<unknown> {
    if (signal.aborted) return Promise.reject(signal.reason)
    if (this.#closed) return Promise.reject(closed())
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const job: Waiting = { message, resolve, reject }
    const withdraw = () => {
      if (this.#waiting.delete(job)) reject(signal.reason)
    }
    signal.addEventListener("abort", withdraw, { once: true })
    this.#waiting.add(job)
    this.#next()
    return promise.finally(() => signal.removeEventListener("abort", withdraw))
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const { reject } of this.#waiting) reject(closed())
    this.#waiting.clear()
    await Promise.all([...this.#jobs.keys()].map((worker) => worker.terminate()))
  }

  /** Gives what has waited longest to a thread, if there is one or may be one more. */
  #next() {
    const [job] = this.#waiting
    if (job === undefined || this.#closed) return
    const worker = this.#idle.pop() ?? (this.#jobs.size < this.#options.threads ? this.#start() : undefined)
    if (worker === undefined) return
    this.#waiting.delete(job)
    this.#jobs.set(worker, job)
    try {
      worker.postMessage(job.message.value, job.message.transfer)
    } catch (error) {
      this.#settle(worker, { failed: error })
    }
  }

  #start(): Worker {
    // It gets no environment. Nor a heap limit of its own: in JSON.parse that ends the process, not the thread.
    const { entry, execArgv } = this.#options
    const worker = new Worker(entry, { execArgv, env: {} })
    this.#jobs.set(worker, undefined)
    worker.unref()
    worker.on("message", (outcome: Outcome) => this.#settle(worker, outcome))
    let cause: unknown
    worker.on("error", (error) => {
      cause = error
    })
    worker.on("exit", (code) => {
      const job = this.#jobs.get(worker)
      this.#jobs.delete(worker)
      const at = this.#idle.indexOf(worker)
      if (at !== -1) this.#idle.splice(at, 1)
      job?.reject(cause ?? (this.#closed ? closed() : new Error(`a thread ended at work, with code ${code}`)))
      this.#next()
    })
    return worker
  }

  #settle(worker: Worker, outcome: Outcome) {
    const job = this.#jobs.get(worker)
    this.#jobs.set(worker, undefined)
    this.#idle.push(worker)
    if ("done" in outcome) job?.resolve(outcome.done)
    else job?.reject(outcome.failed)
    this.#next()
  }
}
