/** From a request's tensors to the tensors of the answer. */
import { Context, Effect, Layer, type Result } from "effect"
import type { Tensors } from "../model/Tensor.ts"
import type { VersionNumber } from "../model/Version.ts"
import { type Route, RoutingTable } from "../registry/RoutingTable.ts"
import { checkInputs } from "./checkInputs.ts"
import { InferenceError, InvalidInputs } from "./InferenceError.ts"
import { LoadedModels } from "./LoadedModels.ts"
import { type LoadedModel, RuntimeError } from "./ModelRuntime.ts"

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

/**
 * The hot path is plain functions and promises: a fiber per request costs more than a small model's run. `predict`
 * is the same for those who compose effects.
 */
export class Inference extends Context.Service<
  Inference,
  {
    /** The version that answers, from memory. See `RoutingTable.resolve`. */
    readonly route: (model: string, version?: string) => Result.Result<Route, InferenceError>
    /**
     * Checks the inputs against the route's signature and runs the model. Gives all outputs when `outputs` is
     * empty, in the signature's order. Rejects with an `InferenceError`, or with the signal's reason once it is
     * aborted.
     */
    readonly run: (
      route: Route,
      inputs: Tensors,
      outputs: ReadonlyArray<string>,
      signal?: AbortSignal,
    ) => Promise<Prediction>
    /** `route` and `run` as one effect; interruption drops the request. */
    readonly predict: (request: {
      readonly model: string
      readonly version?: string | undefined
      readonly inputs: Tensors
      readonly outputs?: ReadonlyArray<string> | undefined
    }) => Effect.Effect<Prediction, InferenceError>
  }
>()("@modelforge/core/inference/Inference") {
  static readonly make = Effect.gen(function* () {
    const routing = yield* RoutingTable
    const models = yield* LoadedModels

    const runLoaded = async (
      loaded: LoadedModel,
      route: Route,
      inputs: Tensors,
      names: ReadonlyArray<string>,
      waitedMs: number,
      signal: AbortSignal | undefined,
    ): Promise<Prediction> => {
      try {
        const { outputs, queueMs, computeMs } = await loaded.run(inputs, names, signal)
        return { version: route.version, outputs, cache: "bypass", queueMs: waitedMs + queueMs, computeMs }
      } catch (error) {
        throw error instanceof RuntimeError ? new InferenceError({ reason: error.reason }) : error
      }
    }

    const run = async (
      route: Route,
      inputs: Tensors,
      outputs: ReadonlyArray<string>,
      signal?: AbortSignal,
    ): Promise<Prediction> => {
      signal?.throwIfAborted()
      const [issue, ...more] = checkInputs(route.signature, inputs, outputs)
      if (issue !== undefined)
        throw new InferenceError({
          reason: new InvalidInputs({ model: route.model, issues: [issue, ...more] }),
        })
      const names = outputs.length > 0 ? outputs : route.signature.outputs.map((spec) => spec.name)
      const model = models.get(route.digest)
      if (!(model instanceof Promise)) return runLoaded(model, route, inputs, names, 0, signal)
      const since = performance.now()
      const loaded = await abortable(model, signal)
      return runLoaded(loaded, route, inputs, names, performance.now() - since, signal)
    }

    const predict = Effect.fn("Inference.predict")(function* (request: {
      readonly model: string
      readonly version?: string | undefined
      readonly inputs: Tensors
      readonly outputs?: ReadonlyArray<string> | undefined
    }) {
      const route = yield* Effect.fromResult(routing.resolve(request.model, request.version))
      return yield* Effect.tryPromise({
        try: (signal) => run(route, request.inputs, request.outputs ?? [], signal),
        catch: (error) => error,
      }).pipe(
        Effect.catch((error) => (error instanceof InferenceError ? Effect.fail(error) : Effect.die(error))),
      )
    })

    return Inference.of({ route: routing.resolve, run, predict })
  })

  /** Loads models on first use and keeps them; needs a registry store, an artifact store and a runtime. */
  static readonly layer = Layer.effect(this, this.make).pipe(Layer.provide(LoadedModels.layer))
}

/** The promise, or the reason of a signal that is not aborted yet as soon as it is. */
const abortable = <A>(promise: Promise<A>, signal: AbortSignal | undefined): Promise<A> => {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener("abort", abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort))
  })
}
