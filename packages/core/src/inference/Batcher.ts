/**
 * Decides what of one version runs together, and when. What arrives within a turn of the event loop, or while the
 * instances are at work, is joined into one run as far as the model allows. Plain code: every prediction passes here.
 */
import { type LoadedModel, type RunResult, RuntimeError } from "./ModelRuntime.ts"
import type { VersionStatistics } from "./ModelStatistics.ts"
import { type BatchRequest, deadlineExceeded, PendingRequest, type RequestOwner } from "./PendingRequest.ts"
import { RequestQueue } from "./RequestQueue.ts"
import { isSplittable, splitRows } from "./splitRows.ts"

export type { BatchRequest } from "./PendingRequest.ts"

export interface BatchPolicy {
  /** Rows of one run at most; 1 joins nothing. */
  readonly maxBatchSize: number
  /** How long a request that could have company waits for it. 0: not at all beyond what it waits anyway. */
  readonly maxDelayMs: number
}

/** So many requests of a model that can't join are handed over at once, so that tiny runs don't wait for each other. */
const maxHandOver = 32
/** Of such requests, as many as are likely to run within this time. */
const handOverMs = 2

type Run = ReadonlyArray<PendingRequest>

/** Names that any of the requests wants, each once. */
const unionOf = (run: Run): ReadonlyArray<string> => {
  const outputs = run[0]?.outputs ?? []
  return run.every((request) => request.outputs === outputs)
    ? outputs
    : [...new Set(run.flatMap((request) => request.outputs))]
}

/** The batcher takes no requests any more. Nothing happened to this one: it is for another batcher. */
export class BatcherClosed extends Error {
  override readonly name = "BatcherClosed"
}

export class Batcher {
  readonly #model: LoadedModel
  readonly #statistics: VersionStatistics
  #policy: BatchPolicy
  readonly #queue = new RequestQueue<PendingRequest>()
  /** Their joined run gave them nothing. They run alone, before all that wait: their callers waited once already. */
  readonly #apart = new RequestQueue<PendingRequest>()
  /** One of them may have ended its runner. They run one after another, so that it takes none of the others along. */
  readonly #suspects = new RequestQueue<PendingRequest>()
  #suspectRuns = false
  /** The model was found to mix the rows of a joined run. */
  #mixesRows = false
  #closed = false
  /** Requests whose callers wait. */
  #pending = 0
  readonly #idlers: Array<() => void> = []
  /** Hand-overs that the model has not answered. */
  #outstanding = 0
  #pumpScheduled = false
  #delayTimer: NodeJS.Timeout | undefined
  /** Of a run, smoothed; undefined before the first. */
  #computeMs: number | undefined

  /** Runs are counted in `statistics`. */
  constructor(model: LoadedModel, policy: BatchPolicy, statistics: VersionStatistics) {
    this.#model = model
    this.#policy = policy
    this.#statistics = statistics
  }

  get #joins(): boolean {
    return this.#policy.maxBatchSize > 1 && !this.#mixesRows
  }

  /** From the next run on. */
  setPolicy(policy: BatchPolicy): void {
    this.#policy = policy
  }

  /** Why the model takes no runs at present. */
  get failure(): RuntimeError | undefined {
    return this.#model.failure
  }

  /**
   * Rejects with a `RuntimeError`, an `InferenceError` when time is up, the reason of the signal, or `BatcherClosed`
   * before anything was done.
   */
  submit(request: BatchRequest): Promise<RunResult> {
    const { signal, timeoutMs } = request
    if (this.#closed) return Promise.reject(new BatcherClosed())
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (!(timeoutMs > 0)) return Promise.reject(deadlineExceeded(timeoutMs))
    this.#pending++
    return new Promise((resolve, reject) => {
      this.#queue.push(new PendingRequest(request, this.#joins, this.#owner, resolve, reject))
      this.#schedulePump()
    })
  }

  /** Takes no more; resolves when nobody waits for an answer any more. What still runs then runs for nobody. */
  close(): Promise<void> {
    this.#closed = true
    if (this.#pending === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idlers.push(resolve))
  }

  readonly #owner: RequestOwner = {
    withdrawn: (request) => {
      this.#queue.remove(request)
      this.#apart.remove(request)
      this.#suspects.remove(request)
    },
    settled: () => {
      this.#pending--
      if (this.#pending === 0) for (const resolve of this.#idlers.splice(0)) resolve()
    },
  }

  /** At the end of the turn, so that whatever else arrives in it can join. */
  #schedulePump(): void {
    if (this.#pumpScheduled) return
    this.#pumpScheduled = true
    setImmediate(this.#pump)
  }

  readonly #pump = (): void => {
    this.#pumpScheduled = false
    while (this.#outstanding < this.#model.concurrency) {
      const runs = this.#takeNext()
      if (runs.length === 0) return
      this.#handOver(runs)
    }
  }

  #takeNext(): ReadonlyArray<Run> {
    const suspect = this.#suspectRuns ? [] : this.#suspects.take(1)
    if (suspect.length > 0) {
      this.#suspectRuns = true
      return [suspect]
    }
    if (this.#apart.first() !== undefined) return this.#takeSingles(this.#apart)
    const first = this.#queue.first()
    if (first === undefined || this.#waitsForCompany(first)) return []
    if (!this.#joins || first.joinKey === undefined) return this.#takeSingles(this.#queue)
    return [this.#queue.take(this.#policy.maxBatchSize)]
  }

  #waitsForCompany(first: PendingRequest): boolean {
    const { maxBatchSize, maxDelayMs } = this.#policy
    if (maxDelayMs <= 0 || !this.#joins || first.joinKey === undefined) return false
    const left = first.queuedAt + maxDelayMs - performance.now()
    if (left <= 0 || this.#queue.joinable(maxBatchSize) >= maxBatchSize) return false
    this.#delayTimer ??= setTimeout(() => {
      this.#delayTimer = undefined
      this.#pump()
    }, left)
    return true
  }

  /** Requests that run by themselves, a few at once when they are short. */
  #takeSingles(queue: RequestQueue<PendingRequest>): ReadonlyArray<Run> {
    const likely = this.#computeMs === undefined ? 1 : Math.floor(handOverMs / this.#computeMs)
    const count = Math.min(maxHandOver, Math.max(1, likely))
    const runs: Array<Run> = []
    while (runs.length < count) {
      const run = queue.take(1)
      if (run.length === 0) break
      runs.push(run)
    }
    return runs
  }

  #handOver(runs: ReadonlyArray<Run>): void {
    this.#outstanding++
    let left = runs.length
    const ended = () => {
      left--
      if (left > 0) return
      this.#outstanding--
      this.#schedulePump()
    }
    for (const run of runs) void this.#run(run).then(ended)
  }

  /** Never rejects: whatever comes of the run is told to its requests. */
  async #run(taken: Run): Promise<void> {
    const startedAt = performance.now()
    const isSuspect = taken[0]?.lost === true
    const run = this.#dropLate(taken, startedAt)
    try {
      if (run.length === 0) return
      const result = await this.#model.run(
        run.map(({ inputs }) => inputs),
        unionOf(run),
      )
      this.#computeMs =
        this.#computeMs === undefined ? result.computeMs : this.#computeMs * 0.8 + result.computeMs * 0.2
      this.#deliver(run, result, startedAt)
    } catch (error) {
      this.#fail(run, error)
    } finally {
      if (isSuspect) this.#suspectRuns = false
    }
  }

  #dropLate(run: Run, now: number): Run {
    if (!run.some((request) => request.isLate(now))) return run
    return run.filter((request) => {
      const late = request.isLate(now)
      if (late) request.expire()
      return !late
    })
  }

  #deliver(run: Run, { outputs, queueMs, computeMs }: RunResult, startedAt: number): void {
    const waitedMs = (request: PendingRequest) => startedAt - request.queuedAt + queueMs
    let total = 0
    for (const { rows } of run) total += rows
    this.#statistics.executed(total, computeMs, performance.now() - startedAt - queueMs - computeMs)
    const [only] = run
    if (run.length === 1 && only !== undefined) {
      only.resolve({ outputs, queueMs: waitedMs(only), computeMs })
      return
    }
    // A model that mixes rows despite its signature: its requests can't be told apart, so none join from now on.
    if (!isSplittable(outputs, total)) {
      this.#mixesRows = true
      this.#again(run, this.#apart)
      return
    }
    let from = 0
    for (const request of run) {
      const to = from + request.rows
      if (request.wanted) {
        const own = splitRows(outputs, request.outputs, from, to)
        request.resolve({ outputs: own, queueMs: waitedMs(request), computeMs })
      }
      from = to
    }
  }

  #fail(run: Run, error: unknown): void {
    const tag = error instanceof RuntimeError ? error.reason._tag : undefined
    // A request that failed a joined run, in an orderly way or by a bug, fails alone, apart.
    const spoiled = run.length > 1 && (tag === "RunFailed" || tag === undefined)
    // A lost runner is forgiven once to all that were in it.
    if (spoiled) this.#again(run, this.#apart)
    else if (tag === "RunnerLost" && run.every(({ lost }) => !lost)) {
      for (const request of run) request.lost = true
      this.#again(run, this.#suspects)
    } else for (const request of run) request.reject(error)
  }

  #again(run: Run, queue: RequestQueue<PendingRequest>): void {
    for (const request of run) if (request.wanted) queue.push(request)
  }
}
