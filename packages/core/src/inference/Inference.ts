/** From a request's tensors to the tensors of the answer. */
import { Context, Duration, Effect, Layer, type Result } from "effect"
import { ForgeConfig } from "../ForgeConfig.ts"
import type { Tensors } from "../model/Tensor.ts"
import type { VersionNumber } from "../model/Version.ts"
import type { Route } from "../registry/Route.ts"
import { RoutingTable } from "../registry/RoutingTable.ts"
import { RollbackRules } from "../traffic/RollbackRules.ts"
import { ShadowTraffic } from "../traffic/ShadowTraffic.ts"
import { type Batcher, BatcherClosed } from "./Batcher.ts"
import type { CallerSignal } from "./CallerSignal.ts"
import { checkInputs } from "./checkInputs.ts"
import { InferenceError, InvalidInputs } from "./InferenceError.ts"
import { LoadedModels } from "./LoadedModels.ts"
import { RuntimeError } from "./ModelRuntime.ts"
import { ModelStatistics } from "./ModelStatistics.ts"
import { deadlineExceeded, maxTimerMs } from "./PendingRequest.ts"

export interface Prediction {
  readonly version: VersionNumber
  readonly outputs: Tensors
  /** Whether a cache answered; `bypass` while the model has none. */
  readonly cache: "bypass"
  /** Milliseconds spent waiting for a model and a runner. */
  readonly queueMs: number
  /** Milliseconds of the run itself. */
  readonly computeMs: number
}

export interface RunOptions {
  /** Drops the request when it is aborted. */
  readonly signal?: CallerSignal | undefined
  /** Milliseconds that the request may take, loading included. Default: the model's config; that and maximum: `ForgeConfig`. */
  readonly timeoutMs?: number | undefined
  /** Lower is served first. Default: 0. */
  readonly priority?: number | undefined
}

interface ResolvedOptions {
  readonly signal: CallerSignal | undefined
  readonly timeoutMs: number
  readonly priority: number
}

/**
 * The hot path is plain functions and promises: a fiber per request costs more than a small model's run. `predict`
 * is the same for those who compose effects.
 */
export class Inference extends Context.Service<
  Inference,
  {
    /** The version that answers, from memory. See `RoutingTable.resolve`. */
    readonly route: (
      model: string,
      version?: string,
      stickyKey?: string,
    ) => Result.Result<Route, InferenceError>
    /** See `RoutingTable.stickyHeader`. */
    readonly stickyHeader: (model: string) => string | undefined
    /** See `RoutingTable.renew`. */
    readonly renew: (route: Route) => Route | undefined
    /**
     * Checks the inputs against the route's signature and runs the model. Gives all outputs when `outputs` is
     * empty, in the signature's order. Rejects with an `InferenceError`, or with the signal's reason once it is
     * aborted.
     */
    readonly run: (
      route: Route,
      inputs: Tensors,
      outputs: ReadonlyArray<string>,
      options?: RunOptions,
    ) => Promise<Prediction>
    /** `route` and `run` as one effect; interruption drops the request. */
    readonly predict: (request: {
      readonly model: string
      readonly version?: string | undefined
      /** Without a version, of a split: the same key goes to the same version. */
      readonly stickyKey?: string | undefined
      readonly inputs: Tensors
      readonly outputs?: ReadonlyArray<string> | undefined
    }) => Effect.Effect<Prediction, InferenceError>
  }
>()("@modelforge/core/inference/Inference") {
  static readonly make = Effect.gen(function* () {
    const routing = yield* RoutingTable
    const models = yield* LoadedModels
    const statistics = yield* ModelStatistics
    const rollback = yield* RollbackRules
    const shadow = yield* ShadowTraffic
    const config = yield* ForgeConfig
    const defaultTimeoutMs = Duration.toMillis(config.defaultTimeout)
    const maxTimeoutMs = Duration.toMillis(config.maxTimeout)

    const runLoaded = async (
      batcher: Batcher,
      route: Route,
      inputs: Tensors,
      outputs: ReadonlyArray<string>,
      waitedMs: number,
      { signal, timeoutMs, priority }: ResolvedOptions,
    ): Promise<Prediction> => {
      try {
        const result = await batcher.submit({
          inputs,
          outputs,
          priority,
          signal,
          timeoutMs: timeoutMs - waitedMs,
        })
        return {
          version: route.version,
          outputs: result.outputs,
          cache: "bypass",
          queueMs: waitedMs + result.queueMs,
          computeMs: result.computeMs,
        }
      } catch (error) {
        if (error instanceof RuntimeError) throw new InferenceError({ reason: error.reason })
        // The batcher knows only of the time that the load left.
        const late = error instanceof InferenceError && error.reason._tag === "DeadlineExceeded"
        throw late ? deadlineExceeded(timeoutMs) : error
      }
    }

    /** A model may have to leave again before those who waited for it come to use it: then it is loaded once more. */
    const runOnceLoaded = async (
      loading: Promise<Batcher>,
      route: Route,
      inputs: Tensors,
      outputs: ReadonlyArray<string>,
      options: ResolvedOptions,
    ): Promise<Prediction> => {
      const since = performance.now()
      for (let model: Batcher | Promise<Batcher> = loading; ; model = models.get(route)) {
        const loaded = await patiently(Promise.resolve(model), options, performance.now() - since)
        try {
          return await runLoaded(loaded, route, inputs, outputs, performance.now() - since, options)
        } catch (error) {
          if (!(error instanceof BatcherClosed)) throw error
        }
      }
    }

    const runOn = (
      route: Route,
      inputs: Tensors,
      names: ReadonlyArray<string>,
      options: ResolvedOptions,
    ): Promise<Prediction> => {
      const model = models.get(route)
      return model instanceof Promise
        ? runOnceLoaded(model, route, inputs, names, options)
        : runLoaded(model, route, inputs, names, 0, options)
    }

    const runWatched: typeof runOn = async (route, inputs, names, options) => {
      try {
        const prediction = await runOn(route, inputs, names, options)
        rollback.answered(route, prediction.computeMs)
        return prediction
      } catch (error) {
        if (error instanceof InferenceError) rollback.failed(route, error)
        throw error
      }
    }

    const checked = (route: Route, inputs: Tensors, outputs: ReadonlyArray<string>) => {
      const [issue, ...more] = checkInputs(route.signature, inputs, outputs)
      if (issue !== undefined)
        throw new InferenceError({
          reason: new InvalidInputs({ model: route.model, issues: [issue, ...more] }),
        })
      return outputs.length > 0 ? outputs : route.outputNames
    }

    /** Behind everything that somebody waits for, and not counted by the rollback rule. */
    const runShadow = async (route: Route, inputs: Tensors, outputs: ReadonlyArray<string>) =>
      runOn(route, inputs, checked(route, inputs, outputs), {
        signal: undefined,
        timeoutMs: defaultTimeoutMs,
        priority: Number.MAX_SAFE_INTEGER,
      })

    const run = async (
      route: Route,
      inputs: Tensors,
      outputs: ReadonlyArray<string>,
      options: RunOptions = {},
    ): Promise<Prediction> => {
      const { signal } = options
      signal?.throwIfAborted()
      const names = checked(route, inputs, outputs)
      const resolved: ResolvedOptions = {
        signal,
        timeoutMs: Math.min(
          options.timeoutMs ?? route.config.queue?.timeoutMs ?? defaultTimeoutMs,
          maxTimeoutMs,
        ),
        priority: options.priority ?? 0,
      }
      const counts = statistics.of(route)
      const since = performance.now()
      const runs = rollback.watches(route.model) ? runWatched : runOn
      let prediction: Prediction
      try {
        prediction = await runs(route, inputs, names, resolved)
      } catch (error) {
        if (error instanceof InferenceError) counts.failed(performance.now() - since)
        throw error
      }
      counts.answered(performance.now() - since, prediction.queueMs, prediction.computeMs)
      if (shadow.shadows(route.model)) shadow.offer(route, inputs, prediction, runShadow)
      return prediction
    }

    const predict = Effect.fn("Inference.predict")(function* (request: {
      readonly model: string
      readonly version?: string | undefined
      readonly stickyKey?: string | undefined
      readonly inputs: Tensors
      readonly outputs?: ReadonlyArray<string> | undefined
    }) {
      const route = yield* Effect.fromResult(
        routing.resolve(request.model, request.version, request.stickyKey),
      )
      return yield* Effect.tryPromise({
        try: (signal) => run(route, request.inputs, request.outputs ?? [], { signal }),
        catch: (error) => error,
      }).pipe(
        Effect.catch((error) => (error instanceof InferenceError ? Effect.fail(error) : Effect.die(error))),
      )
    })

    return Inference.of({
      route: routing.resolve,
      stickyHeader: routing.stickyHeader,
      renew: routing.renew,
      run,
      predict,
    })
  })

  /** With the models it loads; needs the routes, a registry store, an artifact store and a runtime. */
  static readonly layer = Layer.effect(this, this.make).pipe(
    Layer.provide(RollbackRules.layer),
    Layer.provideMerge(ShadowTraffic.layer),
    Layer.provideMerge(LoadedModels.layer),
    Layer.provideMerge(ModelStatistics.layer),
  )
}

/** The promise, as long as its caller waits for it and time is left. */
const patiently = <A>(
  promise: Promise<A>,
  { signal, timeoutMs }: ResolvedOptions,
  waitedMs: number,
): Promise<A> => {
  const { promise: first, resolve, reject } = Promise.withResolvers<A>()
  const abort = () => reject(signal?.reason)
  if (signal?.aborted === true) abort()
  const timer = setTimeout(
    () => reject(deadlineExceeded(timeoutMs)),
    Math.max(0, Math.min(timeoutMs - waitedMs, maxTimerMs)), // Node warns of a time that is up
  )
  signal?.addEventListener("abort", abort, { once: true })
  promise.then(resolve, reject)
  return first.finally(() => {
    clearTimeout(timer)
    signal?.removeEventListener("abort", abort)
  })
}
