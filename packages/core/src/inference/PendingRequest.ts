/** A request from its arrival at a batcher to its answer: settled once, by the first of what may end it. */
import type { Tensors } from "../model/Tensor.ts"
import type { CallerSignal } from "./CallerSignal.ts"
import { DeadlineExceeded, InferenceError } from "./InferenceError.ts"
import type { RunResult } from "./ModelRuntime.ts"
import type { Queued } from "./RequestQueue.ts"

/** A request as its caller hands it over: checked against the signature. */
export interface BatchRequest {
  readonly inputs: Tensors
  /** Names of the outputs wanted, at least one. */
  readonly outputs: ReadonlyArray<string>
  /** Lower is served first. */
  readonly priority: number
  /** Withdraws the request when its caller leaves. */
  readonly signal: CallerSignal | undefined
  /** Milliseconds until the request is withdrawn, with `DeadlineExceeded`. */
  readonly timeoutMs: number
}

/** Beyond this, timers fire at once. */
export const maxTimerMs = 2 ** 31 - 1

export const deadlineExceeded = (timeoutMs: number) =>
  new InferenceError({ reason: new DeadlineExceeded({ timeoutMs }) })

/** The first dimension of the first input: how many rows a request has. */
const countRows = (inputs: Tensors): number => {
  for (const name in inputs) return inputs[name]?.shape[0] ?? 1
  return 1
}

/** Equal for requests whose tensors can be laid behind each other; undefined where that makes no sense. */
const joinKeyOf = (inputs: Tensors, rows: number): string | undefined => {
  let key: string | undefined
  for (const name in inputs) {
    const shape = inputs[name]?.shape
    if (shape?.[0] !== rows) return undefined
    key = key === undefined ? name : `${key};${name}`
    for (let axis = 1; axis < shape.length; axis++) key += `,${shape[axis]}`
  }
  return key
}

/** Who holds a request until it is answered. */
export interface RequestOwner {
  /** The caller left or the time is up: let go of it. */
  readonly withdrawn: (request: PendingRequest) => void
  /** It was answered, or withdrawn. */
  readonly settled: () => void
}

export class PendingRequest implements Queued<PendingRequest> {
  readonly inputs: Tensors
  readonly outputs: ReadonlyArray<string>
  readonly priority: number
  readonly rows: number
  readonly joinKey: string | undefined
  readonly queuedAt: number
  lane: Queued<PendingRequest>["lane"] = undefined
  previous: PendingRequest | undefined = undefined
  next: PendingRequest | undefined = undefined
  /** The runner went away during a run of it, which is forgiven once. */
  lost = false
  /** Somebody still waits for the answer. */
  wanted = true
  readonly #timeoutMs: number
  readonly #signal: CallerSignal | undefined
  readonly #owner: RequestOwner
  readonly #resolve: (result: RunResult) => void
  readonly #reject: (reason: unknown) => void
  readonly #timer: NodeJS.Timeout | undefined
  readonly #leave: (() => void) | undefined

  constructor(
    request: BatchRequest,
    joins: boolean,
    owner: RequestOwner,
    resolve: (result: RunResult) => void,
    reject: (reason: unknown) => void,
  ) {
    const { inputs, signal, timeoutMs } = request
    this.inputs = inputs
    this.outputs = request.outputs
    this.priority = request.priority
    this.rows = countRows(inputs)
    this.joinKey = joins ? joinKeyOf(inputs, this.rows) : undefined
    this.queuedAt = performance.now()
    this.#timeoutMs = timeoutMs
    this.#signal = signal
    this.#owner = owner
    this.#resolve = resolve
    this.#reject = reject
    if (timeoutMs <= maxTimerMs) this.#timer = setTimeout(expire, timeoutMs, this)
    if (signal !== undefined) {
      this.#leave = () => this.#withdraw(signal.reason)
      signal.addEventListener("abort", this.#leave, { once: true })
    }
  }

  resolve(result: RunResult): void {
    if (this.#settle()) this.#resolve(result)
  }

  reject(reason: unknown): void {
    if (this.#settle()) this.#reject(reason)
  }

  expire(): void {
    this.#withdraw(deadlineExceeded(this.#timeoutMs))
  }

  /** Whether its time is up; a loop that was busy learns of it here, before the timer fires. */
  isLate(now: number): boolean {
    return now >= this.queuedAt + this.#timeoutMs
  }

  #withdraw(reason: unknown): void {
    this.#owner.withdrawn(this)
    this.reject(reason)
  }

  /** Whether this was the first call. */
  #settle(): boolean {
    if (!this.wanted) return false
    this.wanted = false
    clearTimeout(this.#timer)
    this.#owner.settled()
    if (this.#leave !== undefined) this.#signal?.removeEventListener("abort", this.#leave)
    return true
  }
}

const expire = (request: PendingRequest) => request.expire()
