/** A model whose runs end when and as a test says, and whose outputs tell which rows went in. */
import { vi } from "@effect/vitest"
import { Batcher, type BatchRequest } from "../../src/inference/Batcher.ts"
import { InferenceError } from "../../src/inference/InferenceError.ts"
import {
  type LoadedModel,
  RunFailed,
  RunnerLost,
  type RunResult,
  RuntimeError,
} from "../../src/inference/ModelRuntime.ts"
import { VersionStatistics } from "../../src/inference/ModelStatistics.ts"
import type { Tensor, Tensors } from "../../src/model/Tensor.ts"

/** Time is the test's from here on, immediates included. */
export const controlTime = () =>
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "performance"],
  })

/** Lets time pass, and everything happen that is due by then. */
export const pass = async (milliseconds = 0) => {
  for (let left = milliseconds; left >= 0; left--) {
    vi.advanceTimersByTime(left === milliseconds ? 0 : 1)
    for (let microtask = 0; microtask < 20; microtask++) await null
    vi.advanceTimersByTime(0)
    for (let microtask = 0; microtask < 20; microtask++) await null
  }
}

/** `rows` rows of `width` elements, which count up from `from`. */
export const rowsFrom = (from: number, rows = 1, width = 2): Tensor => ({
  datatype: "INT32",
  shape: [rows, width],
  data: Int32Array.from({ length: rows * width }, (_, index) => from + index),
})

export const request = (inputs: Tensors, options: Partial<BatchRequest> = {}): BatchRequest => ({
  inputs,
  outputs: ["double"],
  priority: 0,
  signal: undefined,
  timeoutMs: 30_000,
  ...options,
})

/** What the model makes of an input: each element doubled, and the first element of each row. */
export const answerTo = (
  members: ReadonlyArray<Tensors>,
  outputs: ReadonlyArray<string>,
): Record<string, Tensor> => {
  const elements: Array<number> = []
  const firsts: Array<number> = []
  let width = 0
  for (const { x } of members) {
    if (x?.datatype !== "INT32") throw new Error("this model takes integers")
    width = x.shape[1] ?? 1
    x.data.forEach((element, index) => {
      elements.push(element * 2)
      if (index % width === 0) firsts.push(element)
    })
  }
  const all: Record<string, Tensor> = {
    double: { datatype: "INT32", shape: [firsts.length, width], data: Int32Array.from(elements) },
    first: { datatype: "INT32", shape: [firsts.length], data: Int32Array.from(firsts) },
  }
  return Object.fromEntries(Object.entries(all).filter(([name]) => outputs.includes(name)))
}

export class ControlledRun {
  readonly members: ReadonlyArray<Tensors>
  readonly outputs: ReadonlyArray<string>
  readonly promise: Promise<RunResult>
  readonly #settle: Pick<PromiseWithResolvers<RunResult>, "resolve" | "reject">
  #under: Set<ControlledRun>
  constructor(under: Set<ControlledRun>, members: ReadonlyArray<Tensors>, outputs: ReadonlyArray<string>) {
    const { promise, resolve, reject } = Promise.withResolvers<RunResult>()
    this.members = members
    this.outputs = outputs
    this.promise = promise
    this.#settle = { resolve, reject }
    this.#under = under
  }
  /** The first element of each member. */
  get ids(): ReadonlyArray<unknown> {
    return this.members.map(({ x }) => x?.data[0])
  }
  complete(outputs: Tensors = answerTo(this.members, this.outputs), computeMs = 1): void {
    this.#under.delete(this)
    this.#settle.resolve({ outputs, queueMs: 0.5, computeMs })
  }
  reject(error: unknown): void {
    this.#under.delete(this)
    this.#settle.reject(error)
  }
  fail(detail = "no"): void {
    this.reject(new RuntimeError({ reason: new RunFailed({ detail }) }))
  }
  lose(detail = "crashed"): void {
    this.reject(new RuntimeError({ reason: new RunnerLost({ detail }) }))
  }
}

export class ControlledModel implements LoadedModel {
  readonly instances = 1
  failure: RuntimeError | undefined = undefined
  readonly memoryBytes = () => Promise.resolve(0)
  readonly concurrency: number
  /** Every run there was. */
  readonly runs: Array<ControlledRun> = []
  /** Those that have not ended. */
  readonly underWay = new Set<ControlledRun>()
  /** Sees each run as it is handed over, and may throw. */
  onRun: (run: ControlledRun) => void = () => {}
  constructor(concurrency = 1) {
    this.concurrency = concurrency
  }
  readonly run: LoadedModel["run"] = (members, outputs) => {
    const run = new ControlledRun(this.underWay, members, outputs)
    this.runs.push(run)
    this.onRun(run)
    this.underWay.add(run)
    return run.promise
  }
  /** The run that has waited longest for its end. */
  get current(): ControlledRun {
    const [run] = this.underWay
    if (run === undefined) throw new Error("nothing runs")
    return run
  }
  /** What each run was given so far. */
  get ids(): ReadonlyArray<ReadonlyArray<unknown>> {
    return this.runs.map((run) => run.ids)
  }
}

/** The reason of a promise's rejection, or that there was none. */
export const rejectionOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "it was resolved",
    (error: unknown) => error,
  )

/** What kind of failure a promise was rejected with. */
export const tagOf = async (promise: Promise<unknown>) => {
  const error = await rejectionOf(promise)
  return error instanceof RuntimeError || error instanceof InferenceError ? error.reason._tag : error
}

export const openBatcher = (concurrency: number, maxBatchSize: number, maxDelayMs = 0) => {
  const model = new ControlledModel(concurrency)
  const statistics = new VersionStatistics()
  const batcher = new Batcher(model, { maxBatchSize, maxDelayMs }, statistics)
  return {
    model,
    batcher,
    statistics,
    /** Submits a request whose elements count up from `id`. */
    submit: (id: number, rows = 1, options: Partial<BatchRequest> = {}) =>
      batcher.submit(request({ x: rowsFrom(id, rows) }, options)),
  }
}
