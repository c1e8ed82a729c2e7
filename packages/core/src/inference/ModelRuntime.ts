/** The contract of what loads and runs models. Batching, admission and routing are not its business. */
import { Context, type Effect, Schema, type Scope } from "effect"
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

/** No runner could be started; trying again later may succeed. */
export class RunnerUnavailable extends Schema.TaggedError<RunnerUnavailable>()("RunnerUnavailable", {
  detail: Schema.String,
}) {
  override get message() {
    return `No runner could be started: ${this.detail}`
  }
}

export class RuntimeError extends Schema.TaggedError<RuntimeError>()("RuntimeError", {
  reason: Schema.Union([LoadFailed, RunFailed, RunnerLost, RunnerUnavailable]),
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

export interface LoadedModel {
  /**
   * Runs the model on inputs that were checked against its signature and gives the outputs named. Rejects with a
   * `RuntimeError`. A promise, because one lies on the path of every prediction. An aborted signal drops the
   * caller (the promise rejects with the signal's reason), never the run of its neighbours.
   */
  readonly run: (inputs: Tensors, outputs: ReadonlyArray<string>, signal?: AbortSignal) => Promise<RunResult>
}

export class ModelRuntime extends Context.Service<
  ModelRuntime,
  {
    /** Loads the artifact in `file`. Closing the scope waits for its runs and releases its memory. */
    readonly load: (file: string) => Effect.Effect<LoadedModel, RuntimeError, Scope.Scope>
    /**
     * Loads `file` apart from everything that serves, compares it with the signature read from it, and runs it
     * once on synthetic inputs, within limits of time and memory. A run that fails in an orderly way is not held
     * against the model: synthetic inputs need not make sense to it.
     */
    readonly trial: (file: string, signature: Signature) => Effect.Effect<void, RuntimeError>
  }
>()("@modelforge/core/inference/ModelRuntime") {}
