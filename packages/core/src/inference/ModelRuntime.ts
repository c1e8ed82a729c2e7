/** The contract of what loads and runs models. Batching, admission and routing are not its business. */
import { Context, type Effect, Schema, type Scope } from "effect"
import type { Execution } from "../model/ModelConfig.ts"
import type { Signature } from "../model/Signature.ts"
import type { Tensors } from "../model/Tensor.ts"

/** The file was refused by the runtime, crashed it, or exceeded the limits of a trial. */
export class LoadFailed extends Schema.TaggedError<LoadFailed>()("LoadFailed", {
  /** For people; no path of this machine. */
  detail: Schema.String,
}) {
  override get message() {
    return `The model could not be loaded: ${this.detail}`
  }
}

/** The runtime refused this run; another run of the same model may succeed. */
export class RunFailed extends Schema.TaggedError<RunFailed>()("RunFailed", { detail: Schema.String }) {
  override get message() {
    return `The model failed on these inputs: ${this.detail}`
  }
}

/** The process that ran the model went away; nothing is known of the run. */
export class RunnerLost extends Schema.TaggedError<RunnerLost>()("RunnerLost", { detail: Schema.String }) {
  override get message() {
    return `The runner of this model went away: ${this.detail}`
  }
}

/** The operator's limit for a run was reached, and the run was ended with its process. */
export class RunTimedOut extends Schema.TaggedError<RunTimedOut>()("RunTimedOut", {
  /** Milliseconds. */
  limitMs: Schema.Number,
}) {
  override get message() {
    return `The model took longer than the ${this.limitMs} ms that a run may take, and was stopped`
  }
}

/** No runner could be started; trying again later may succeed. */
export class RunnerUnavailable extends Schema.TaggedError<RunnerUnavailable>()("RunnerUnavailable", {
  detail: Schema.String,
}) {
  override get message() {
    return `No runner could be started: ${this.detail}`
  }
}

/** Every way in which a runtime fails. */
export const runtimeReasons = [LoadFailed, RunFailed, RunTimedOut, RunnerLost, RunnerUnavailable] as const

export class RuntimeError extends Schema.TaggedError<RuntimeError>()("RuntimeError", {
  reason: Schema.Union(runtimeReasons),
}) {
  override get message() {
    return this.reason.message
  }
}

export interface RunResult {
  readonly outputs: Tensors
  /** Milliseconds from the hand-over to the runtime until its own thread took the run up. */
  readonly queueMs: number
  /** Milliseconds of the run itself. */
  readonly computeMs: number
}

/** How a model is spread over the machine. What is absent is the runtime's to choose, within the cores there are. */
export interface Placement {
  /** Copies of the model that run side by side. */
  readonly instances?: number | undefined
  /** Threads that one operator of one instance may use. */
  readonly intraOpThreads?: number | undefined
  /** A run that takes longer is ended, with the process it runs in. Default: 60 seconds. Not kept to `inline`. */
  readonly runLimitMs?: number | undefined
  readonly execution?: Execution | undefined
}

export interface LoadedModel {
  /** Copies that run side by side. */
  readonly instances: number
  /** Runs it can usefully hold at once: one at work and one staged behind it for each instance. */
  readonly concurrency: number
  /**
   * Runs the model once on the rows of all members, laid behind each other in this order along the first dimension;
   * a single member runs as it is, whatever its shapes. The inputs were checked against the signature, and members
   * have equal shapes but for the first dimension. Gives the outputs named. Rejects with a `RuntimeError`. A promise,
   * because one lies on the path of every prediction.
   */
  readonly run: (members: ReadonlyArray<Tensors>, outputs: ReadonlyArray<string>) => Promise<RunResult>
  /** Why it takes no runs at present: it crashed its runners again and again. */
  readonly failure: RuntimeError | undefined
  /**
   * Memory that it takes, all instances together, in bytes: what its processes grew by, and no less than its weights.
   * 0 when it can't be told.
   */
  readonly memoryBytes: () => Promise<number>
}

export class ModelRuntime extends Context.Service<
  ModelRuntime,
  {
    /** What a load of an artifact of so many bytes is likely to take in memory, as far as can be told before. */
    readonly estimateBytes: (size: number, placement: Placement) => number
    /**
     * Loads the artifact in `file` as often as the placement says. Closing the scope waits a little for its runs and
     * releases its memory.
     */
    readonly load: (
      file: string,
      placement?: Placement,
    ) => Effect.Effect<LoadedModel, RuntimeError, Scope.Scope>
    /**
     * Loads `file` apart from everything that serves, compares it with the signature read from it, and runs it
     * once on synthetic inputs, within limits of time and memory. A run that fails in an orderly way is not held
     * against the model: synthetic inputs need not make sense to it.
     */
    readonly trial: (file: string, signature: Signature) => Effect.Effect<void, RuntimeError>
  }
>()("@modelforge/core/inference/ModelRuntime") {}
