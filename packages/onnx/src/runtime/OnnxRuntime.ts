/** Runs models with onnxruntime-node: in a runner process, or in this one. */
import { availableParallelism } from "node:os"
import { ModelRuntime } from "@modelforge/core"
import { Effect, Layer } from "effect"
import * as InlineModel from "./InlineModel.ts"
import { RemoteModel } from "./RemoteModel.ts"
import type { RunnerProcessOptions } from "./RunnerProcess.ts"
import * as RunnerSupervisor from "./RunnerSupervisor.ts"
import * as Trial from "./Trial.ts"

export interface OnnxRuntimeOptions extends RunnerProcessOptions {
  /** Threads that one operator of a model may use. Default: as many as the machine runs at once. */
  readonly intraOpThreads?: number
  readonly trial?: Trial.TrialOptions
}

/**
 * Models run in one supervised process, started with the first load. It is started again when it crashes; a model
 * that was loaded stays usable, and is loaded again with its next run.
 */
export const layerProcess = (options: OnnxRuntimeOptions = {}): Layer.Layer<ModelRuntime> =>
  Layer.effect(
    ModelRuntime,
    Effect.gen(function* () {
      const supervisor = yield* RunnerSupervisor.make(options)
      const threads = options.intraOpThreads ?? availableParallelism()
      return ModelRuntime.of({
        load: Effect.fn("ModelRuntime.load")(function* (file: string) {
          const model = yield* Effect.acquireRelease(
            Effect.sync(() => new RemoteModel(file, threads, supervisor.runner)),
            (model) => Effect.promise(() => model.close()),
          )
          yield* model.load
          return model
        }),
        trial: Trial.make(options.trial ?? {}, options),
      })
    }),
  )

/**
 * Models run in this process: the fastest for tiny models, but every run holds up the event loop and a crash of the
 * runtime ends the process. Trials have a process of their own all the same.
 */
export const layerInlineWith = (options: OnnxRuntimeOptions): Layer.Layer<ModelRuntime> =>
  Layer.effect(
    ModelRuntime,
    Effect.sync(() => {
      const load = InlineModel.loader({ intraOpThreads: options.intraOpThreads ?? availableParallelism() })
      return ModelRuntime.of({ load, trial: Trial.make(options.trial ?? {}, options) })
    }),
  )

export const layerInline: Layer.Layer<ModelRuntime> = layerInlineWith({})
