/**
 * Decides what of one version runs together, and when. What arrives within a turn of the event loop, or while the
 * instances are at work, is joined into one run as far as the model allows. Plain code: every prediction passes here.
 */
import type { Tensors } from "../model/Tensor.ts"
import { DeadlineExceeded, InferenceError } from "./InferenceError.ts"
import { type LoadedModel, type RunResult, RuntimeError } from "./ModelRuntime.ts"
import { type Queued, RequestQueue } from "./RequestQueue.ts"
import { isSplittable, splitRows } from "./splitRows.ts"

export interface BatchPolicy {
  /** Rows of one run at most; 1 joins nothing. */
  readonly maxBatchSize: number
  /** How long a request that could have company waits for it. 0: not at all beyond what it waits anyway. */
  readonly maxDelayMs: number
}

/** A request as its caller hands it over: checked against the signature. */
export interface BatchRequest {
  readonly inputs: Tensors
  /** Names of the outputs wanted, at least one. */
  readonly outputs: ReadonlyArray<string>
  /** Lower is served first. */
  readonly priority: number
  /** Withdraws the request when its caller leaves. */
  readonly signal: AbortSignal | undefined
  /** Milliseconds until the request is withdrawn, with `DeadlineExceeded`. */
  readonly timeoutMs: number
}

/** So many requests of a model that can't join are handed over at once, so that tiny runs don't wait for each other. */
const maxHandOver = 32
/** Of such requests, as many as are likely to run within this time. */
const handOverMs = 2

/** The first dimension of the first input: how many rows a request has. */
const countRows = (inputs: Tensors): number => {
  for (const name in inputs) return inputs[name]?.shape[0] ?? 1
  return 1
}

/** Equal for requests whose tensors can be laid behind each other. */
const joinKeyOf = (inputs: Tensors): string => {
  let key = ""
  for (const name in inputs) key += `${name}:${inputs[name]?.shape.slice(1).join("x")};`
  return key
}

/** One request until it is answered. Waits in the queue once, and a second time when it has to run apart. */
class Entry implements Queued {
  readonly request: BatchRequest
  readonly priority: number
  readonly rows: number
  readonly joinKey: string | undefined
  readonly queuedAt: number
  readonly #resolve: (result: RunResult) => void
  readonly #reject: (reason: unknown) => void
  readonly #leave: () => void
  readonly #timer: NodeJS.Timeout
  /** Answered, or withdrawn. */
  #settled = false
  gone = false
  /** It was in a run that a neighbour may have spoiled: it runs alone now, for the last time. */
  alone = false

  constructor(
    request: BatchRequest,
    joins: boolean,
    resolve: (result: RunResult) => void,
    reject: (reason: unknown) => void,
  ) {
    this.request = request
    this.priority = request.priority
    this.rows = countRows(request.inputs)
    this.joinKey = joins ? joinKeyOf(request.inputs) : undefined
    this.queuedAt = performance.now()
    this.#resolve = resolve
    this.#reject = reject
    this.#leave = () => this.reject(request.signal?.reason)
    request.signal?.addEventListener("abort", this.#leave, { once: true })
    const { timeoutMs } = request
    this.#timer = setTimeout(
      () => this.reject(new InferenceError({ reason: new DeadlineExceeded({ timeoutMs }) })),
      timeoutMs,
    )
  }

  /** Whether somebody still waits for the answer. */
  get wanted(): boolean {
    return !this.#settled
  }

  resolve(result: RunResult): void {
    this.#settle()
    this.#resolve(result)
  }

  reject(reason: unknown): void {
    this.#settle()
    this.#reject(reason)
  }

  /** From now on the queue passes it over, and what a run under way makes of it is dropped. */
  #settle(): void {
    this.#settled = true
    this.gone = true
    clearTimeout(this.#timer)
    this.request.signal?.removeEventListener("abort", this.#leave)
  }
}

/** Names that any of the requests wants, each once. */
const unionOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<string> => {
  const [first] = entries
  if (first !== undefined && entries.every(({ request }) => request.outputs === first.request.outputs))
    return first.request.outputs
  return [...new Set(entries.flatMap(({ request }) => request.outputs))]
}

const isRunFailure = (error: unknown) => error instanceof RuntimeError && error.reason._tag === "RunFailed"
const isLoss = (error: unknown) => error instanceof RuntimeError && error.reason._tag === "RunnerLost"

export class Batcher {
  readonly #model: LoadedModel
  readonly #policy: BatchPolicy
  readonly #queue = new RequestQueue<Entry>()
  /** Requests that must not join others go before all that wait: their callers waited once already. */
  readonly #apart: Array<Entry> = []
  /** Hand-overs that the model has not answered. */
  #outstanding = 0
  #pumpScheduled = false
  #delayTimer: NodeJS.Timeout | undefined
  /** Of a run, smoothed; undefined before the first. */
  #computeMs: number | undefined

  constructor(model: LoadedModel, policy: BatchPolicy) {
    this.#model = model
    this.#policy = policy
  }

  /** Rejects with a `RuntimeError`, an `InferenceError` when time is up, or the reason of the signal. */
  submit(request: BatchRequest): Promise<RunResult> {
    if (request.signal?.aborted) return Promise.reject(request.signal.reason)
    return new Promise((resolve, reject) => {
      this.#queue.push(new Entry(request, this.#policy.maxBatchSize > 1, resolve, reject))
      this.#schedulePump()
    })
  }

  /** At the end of the turn, so that whatever else arrives in it can join. */
  #schedulePump(): void {
    if (this.#pumpScheduled) return
    this.#pumpScheduled = true
    setImmediate(() => {
      this.#pumpScheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    while (this.#outstanding < this.#model.concurrency) {
      const runs = this.#apart.length > 0 ? this.#takeApart() : this.#takeNext()
      if (runs.length === 0) return
      this.#handOver(runs)
    }
  }

  #takeApart(): ReadonlyArray<ReadonlyArray<Entry>> {
    const wanted = this.#apart.splice(0, maxHandOver).filter((entry) => entry.wanted)
    return wanted.length > 0 || this.#apart.length === 0 ? wanted.map((entry) => [entry]) : this.#takeApart()
  }

  #takeNext(): ReadonlyArray<ReadonlyArray<Entry>> {
    const first = this.#queue.first()
    if (first === undefined || this.#waitsForCompany(first)) return []
    return first.joinKey === undefined ? this.#takeSingles() : [this.#queue.take(this.#policy.maxBatchSize)]
  }

  #waitsForCompany(first: Entry): boolean {
    const { maxBatchSize, maxDelayMs } = this.#policy
    if (maxDelayMs <= 0 || first.joinKey === undefined) return false
    const left = first.queuedAt + maxDelayMs - performance.now()
    if (left <= 0 || this.#queue.joinable(maxBatchSize) >= maxBatchSize) return false
    this.#delayTimer ??= setTimeout(() => {
      this.#delayTimer = undefined
      this.#pump()
    }, left)
    return true
  }

  /** Requests that run by themselves, a few at once when they are short. */
  #takeSingles(): ReadonlyArray<ReadonlyArray<Entry>> {
    const likely = this.#computeMs === undefined ? 1 : Math.floor(handOverMs / this.#computeMs)
    const count = Math.min(maxHandOver, Math.max(1, likely))
    const runs: Array<ReadonlyArray<Entry>> = []
    while (runs.length < count) {
      const run = this.#queue.take(1)
      if (run.length === 0) break
      runs.push(run)
    }
    return runs
  }

  #handOver(runs: ReadonlyArray<ReadonlyArray<Entry>>): void {
    this.#outstanding++
    void Promise.all(runs.map((entries) => this.#run(entries))).then(() => {
      this.#outstanding--
      this.#schedulePump()
    })
  }

  /** Never rejects: whatever comes of the run is told to its requests. */
  async #run(entries: ReadonlyArray<Entry>): Promise<void> {
    const startedAt = performance.now()
    try {
      const members = entries.map(({ request }) => request.inputs)
      const result = await this.#model.run(members, unionOf(entries))
      this.#computeMs =
        this.#computeMs === undefined ? result.computeMs : this.#computeMs * 0.8 + result.computeMs * 0.2
      this.#deliver(entries, result, startedAt)
    } catch (error) {
      this.#fail(entries, error)
    }
  }

  #deliver(
    entries: ReadonlyArray<Entry>,
    { outputs, queueMs, computeMs }: RunResult,
    startedAt: number,
  ): void {
    const waitedMs = (entry: Entry) => startedAt - entry.queuedAt + queueMs
    const [only] = entries
    if (entries.length === 1 && only !== undefined) {
      only.resolve({ outputs, queueMs: waitedMs(only), computeMs })
      return
    }
    let total = 0
    for (const { rows } of entries) total += rows
    // A model that mixes rows despite its signature: its requests can't be told apart, so each runs alone.
    if (!isSplittable(outputs, total)) {
      this.#runApart(entries)
      return
    }
    let from = 0
    for (const entry of entries) {
      const own = splitRows(outputs, entry.request.outputs, from, from + entry.rows)
      entry.resolve({ outputs: own, queueMs: waitedMs(entry), computeMs })
      from += entry.rows
    }
  }

  #fail(entries: ReadonlyArray<Entry>, error: unknown): void {
    // A request that failed a joined run fails alone, apart. A lost runner is forgiven once to all that were in it.
    const spoiled = entries.length > 1 && isRunFailure(error)
    const lost = isLoss(error) && entries.every(({ alone }) => !alone)
    if (spoiled || lost) this.#runApart(entries)
    else for (const entry of entries) entry.reject(error)
  }

  #runApart(entries: ReadonlyArray<Entry>): void {
    for (const entry of entries) {
      if (!entry.wanted) continue
      entry.alone = true
      this.#apart.push(entry)
    }
    this.#schedulePump()
  }
}
