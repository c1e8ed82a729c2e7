/**
 * One loaded model, in the process that asks for it. Runs in the runner as well as inline, so nothing here may
 * import Effect: a runner has to start quickly.
 */
import type { Tensor, Tensors } from "@modelforge/core"
import type * as Ort from "onnxruntime-node"
import { monotonicMs } from "../wire/monotonicMs.ts"
import { errorText } from "./errorText.ts"
import { fromOrt, toOrt } from "./OrtTensor.ts"

/** `unavailable`: the runtime itself could not be loaded. `refused`: it refused this model, or this run. */
export class SessionError extends Error {
  override readonly name = "SessionError"
  readonly kind: "unavailable" | "refused"
  constructor(kind: "unavailable" | "refused", detail: string) {
    super(detail)
    this.kind = kind
  }
}

export interface SessionResult {
  readonly outputs: Tensors
  /** When the run began, on the machine's monotonic clock. */
  readonly startedAt: number
  readonly computeMs: number
}

export interface Session {
  /** What the process grew by for its load and its first runs, in bytes of resident memory. */
  readonly grownBytes: () => number
  readonly inputNames: ReadonlyArray<string>
  readonly outputNames: ReadonlyArray<string>
  /** Rejects with a `SessionError`. Call it again only when the promise has settled. */
  readonly run: (inputs: Tensors, outputs: ReadonlyArray<string>) => Promise<SessionResult>
  readonly release: () => Promise<void>
}

export interface SessionOptions {
  /** Threads that one operator may use. */
  readonly intraOpThreads: number
}

export type OpenSession = (file: string, options: SessionOptions) => Promise<Session>

/** An ONNX file that gives back its one input, a vector of one float. */
const tinyModel = Buffer.from(
  "CAgSBHRlc3Q6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCAhAR",
  "base64",
)

/** With its first session the runtime takes some 20 MB for itself, which must not count as the first model's. */
const settle = async (ort: typeof Ort): Promise<typeof Ort> => {
  const session = await ort.InferenceSession.create(tinyModel, { logSeverityLevel: 4 })
  await session.release()
  return ort
}

let runtime: Promise<typeof Ort> | undefined

/** Only when a model is first needed, so that importing this package loads no native library. */
const loadRuntime = (): Promise<typeof Ort> => {
  runtime ??= importRuntime().then(settle)
  return runtime
}

const importRuntime = async (): Promise<typeof Ort> => {
  // biome-ignore lint/style/noProcessEnv: the native library takes this setting from the environment alone
  process.env["ORT_DISABLE_TELEMETRY"] ??= "1"
  try {
    return await import("onnxruntime-node")
  } catch (cause) {
    const text = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : ""
    throw new SessionError(
      "unavailable",
      /cannot find (package|module)/i.test(text)
        ? "the package onnxruntime-node is not installed"
        : `onnxruntime-node could not be loaded (${errorText(text, import.meta.dirname)})`,
    )
  }
}

/** A small input can ask for outputs that no server could send: what a run may give at most, in bytes. */
const maxOutputBytes = 256 * 2 ** 20

/** Refuses outputs before they are copied anywhere. */
const checkSize = (outputs: Readonly<Record<string, Ort.OnnxValue>>): void => {
  let bytes = 0
  for (const value of Object.values(outputs)) {
    const data = "data" in value ? value.data : undefined
    if (ArrayBuffer.isView(data)) bytes += data.byteLength
    else if (Array.isArray(data)) for (const text of data) bytes += String(text).length
  }
  if (bytes <= maxOutputBytes) return
  const [has, may] = [bytes, maxOutputBytes].map((size) => Math.ceil(size / 2 ** 20))
  throw new Error(`its outputs take ${has} MiB, more than the ${may} MiB that a run may give`)
}

/** Resident memory of this process without what JavaScript holds, which collectors give back when they like. */
const nativeBytes = (): number => {
  const { rss, heapTotal, external } = process.memoryUsage()
  return rss - heapTotal - external
}

/** Of these, buffers are allocated that stay: they count as the model's memory. */
const countedRuns = 16

export const openSession: OpenSession = async (file, { intraOpThreads }) => {
  const ort = await loadRuntime()
  const refused = (cause: unknown): SessionError => new SessionError("refused", errorText(cause, file))
  let session: Ort.InferenceSession
  let grown = 0
  let runs = 0
  /** Runs and loads hold the thread, so that nothing else in the process takes memory meanwhile. */
  const counting = async <A>(work: () => Promise<A>): Promise<A> => {
    const before = nativeBytes()
    try {
      return await work()
    } finally {
      grown += Math.max(0, nativeBytes() - before)
    }
  }
  try {
    session = await counting(() =>
      ort.InferenceSession.create(file, {
        executionProviders: ["cpu"],
        executionMode: "sequential",
        graphOptimizationLevel: "all",
        intraOpNumThreads: intraOpThreads,
        interOpNumThreads: 1,
        logSeverityLevel: 4,
      }),
    )
  } catch (cause) {
    throw refused(cause)
  }
  return {
    grownBytes: () => grown,
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    run: async (inputs, outputs) => {
      const startedAt = monotonicMs()
      try {
        const feeds: Record<string, Ort.Tensor> = {}
        for (const name in inputs) {
          const tensor = inputs[name]
          if (tensor !== undefined) feeds[name] = toOrt(ort, name, tensor)
        }
        const work = () => session.run(feeds, outputs, { logSeverityLevel: 4 })
        const results = await (++runs > countedRuns ? work() : counting(work))
        const computeMs = monotonicMs() - startedAt
        checkSize(results)
        const named: Record<string, Tensor> = {}
        for (const name of outputs) {
          const result = results[name]
          if (result !== undefined) named[name] = fromOrt(name, result)
        }
        return { outputs: named, startedAt, computeMs }
      } catch (cause) {
        throw refused(cause)
      }
    },
    release: () => session.release(),
  }
}
