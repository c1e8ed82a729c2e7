/** Runs models with onnxruntime-node: in runner processes, or in this one. */
import { stat } from "node:fs/promises"
import { availableParallelism } from "node:os"
import { type Execution, ModelRuntime, type Placement } from "@modelforge/core"
import { Effect, Layer } from "effect"
import * as InlineModel from "./InlineModel.ts"
import { planOf } from "./placement.ts"
import type { QuarantineOptions } from "./Quarantine.ts"
import { RemoteModel } from "./RemoteModel.ts"
import * as RunnerPool from "./RunnerPool.ts"
import type { RunnerProcessOptions } from "./RunnerProcess.ts"
import type { WatchOptions } from "./RunnerWatch.ts"
import * as Trial from "./Trial.ts"

export interface ProcessOptions extends RunnerProcessOptions, WatchOptions {
  /** Processes that run models. Default: as many as the machine runs at once. */
  readonly runners?: number
  readonly quarantine?: QuarantineOptions
  readonly trial?: Trial.TrialOptions
}

export interface InlineOptions extends ProcessOptions {
  /**
   * Threads that one operator of a model in this process may use, unless its placement says. Default: 1; more of them
   * wait for work by spinning, which takes the cores from the thread that serves.
   */
  readonly intraOpThreads?: number
}

const defaultRunLimitMs = 60_000

/** 0 when there is no such file, which its load will say. */
const sizeOf = (file: string): Effect.Effect<number> =>
  Effect.promise(() =>
    stat(file).then(
      ({ size }) => size,
      () => 0,
    ),
  )

const make = Effect.fnUntraced(function* (execution: Execution, options: InlineOptions) {
  const cores = availableParallelism()
  const runners = Math.max(1, options.runners ?? cores)
  const pool = yield* RunnerPool.make(runners, options)
  const loadInline = InlineModel.loader({ intraOpThreads: options.intraOpThreads ?? 1 })
  const isInline = (placement: Placement) => (placement.execution ?? execution) === "inline"

  const loadRemote = Effect.fnUntraced(function* (file: string, size: number, placement: Placement) {
    const plan = planOf(placement, size, { runners, cores })
    const model = yield* Effect.acquireRelease(
      Effect.sync(
        () =>
          new RemoteModel(pool, {
            ...plan,
            file,
            size,
            runLimitMs: placement.runLimitMs ?? defaultRunLimitMs,
            quarantine: options.quarantine ?? {},
          }),
      ),
      (model) => Effect.promise(() => model.close()),
    )
    yield* model.load
    return model
  })

  return ModelRuntime.of({
    estimateBytes: (size, placement) =>
      isInline(placement) ? size : size * planOf(placement, size, { runners, cores }).instances,
    load: Effect.fn("ModelRuntime.load")(function* (file: string, placement: Placement = {}) {
      const load = isInline(placement) ? loadInline : loadRemote
      return yield* load(file, yield* sizeOf(file), placement)
    }),
    trial: Trial.make(options.trial ?? {}, options),
  })
})

/**
 * Models run in a pool of supervised processes, each started with the first model that is placed on it. Without a
 * placement, a model of up to 256 MiB has one instance of one thread on every runner, a larger one a single instance
 * that uses all cores. A process that is lost is started again; a model that was loaded stays usable on its other
 * instances meanwhile, and is loaded again with its next run.
 */
export const layerProcess = (options: ProcessOptions = {}): Layer.Layer<ModelRuntime> =>
  Layer.effect(ModelRuntime, make("process", options))

/**
 * Models run in this process unless their placement says otherwise: the fastest for tiny models, but every run holds up
 * the event loop, nothing can end a run, and a crash of the runtime ends the process. Trials have a process of their
 * own all the same.
 */
export const layerInlineWith = (options: InlineOptions): Layer.Layer<ModelRuntime> =>
  Layer.effect(ModelRuntime, make("inline", options))

export const layerInline: Layer.Layer<ModelRuntime> = layerInlineWith({})
