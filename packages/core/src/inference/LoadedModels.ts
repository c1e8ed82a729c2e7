/**
 * Keeps the models that took requests loaded: one load per artifact, shared by everyone who waits for it. A model
 * takes requests through its batcher, once it is known how far these may be joined.
 */
import { Cause, Context, Deferred, Effect, Exit, Layer, Option, Queue, Scope } from "effect"
import { ArtifactStore } from "../artifacts/ArtifactStore.ts"
import type { Digest } from "../model/Version.ts"
import { type Route, RoutingTable } from "../registry/RoutingTable.ts"
import { Batcher } from "./Batcher.ts"
import { InferenceError } from "./InferenceError.ts"
import { LoadFailed, ModelRuntime, RunnerUnavailable, RuntimeError } from "./ModelRuntime.ts"
import { probeBatching } from "./probeBatching.ts"

interface Entry {
  readonly route: Route
  /** The model once it is loaded, so that the path of a prediction needs no promise for it. */
  loaded: Batcher | undefined
  readonly promise: Promise<Batcher>
  readonly resolve: (model: Batcher) => void
  readonly reject: (error: InferenceError) => void
  /** Succeeds when nothing routes to the artifact any more. */
  readonly released: Deferred.Deferred<void>
}

const stopped = () => unavailable("the server is stopping")

/** Why a load gave nothing, as callers are told. */
const toInferenceError = (cause: Cause.Cause<InferenceError>): InferenceError =>
  Option.getOrElse(Cause.findErrorOption(cause), () =>
    unavailable("the load broke off unexpectedly, see the server's log"),
  )

const unavailable = (detail: string) => new InferenceError({ reason: new RunnerUnavailable({ detail }) })

export class LoadedModels extends Context.Service<
  LoadedModels,
  {
    /**
     * The model of a route's artifact: itself when it is loaded, else a promise of it, which rejects with an
     * `InferenceError`. A load that failed is tried again by the next request.
     */
    readonly get: (route: Route) => Batcher | Promise<Batcher>
  }
>()("@modelforge/core/inference/LoadedModels") {
  static readonly make = Effect.gen(function* () {
    const artifacts = yield* ArtifactStore
    const runtime = yield* ModelRuntime
    const routing = yield* RoutingTable
    const entries = new Map<Digest, Entry>()
    // Predictions are plain promises; this queue is where they hand the loading over to a fiber.
    const requests = yield* Queue.unbounded<Entry>()

    const forget = (entry: Entry) => {
      if (entries.get(entry.route.digest) === entry) entries.delete(entry.route.digest)
    }

    const load = Effect.fn("LoadedModels.load")(function* ({ digest, signature }: Route) {
      const file = yield* Effect.mapError(artifacts.file(digest), (error) =>
        error.reason._tag === "ArtifactNotFound"
          ? new InferenceError({ reason: new LoadFailed({ detail: "its artifact is missing" }) })
          : unavailable("the artifact storage does not answer"),
      )
      return yield* Effect.gen(function* () {
        const model = yield* runtime.load(file)
        const policy = yield* Effect.tryPromise({
          try: () => probeBatching(model, signature),
          catch: (error) => error,
        }).pipe(
          Effect.catch((error) => (error instanceof RuntimeError ? Effect.fail(error) : Effect.die(error))),
        )
        const batcher = new Batcher(model, policy)
        // Whoever handed a request in before the model was released still gets the answer; requests have deadlines.
        yield* Effect.addFinalizer(() => Effect.promise(() => batcher.idle()))
        return batcher
      }).pipe(Effect.mapError(({ reason }) => new InferenceError({ reason })))
    })

    /** Loads, answers everyone who waits, and holds the model until it is released or the layer closes. */
    const serve = Effect.fnUntraced(function* (entry: Entry) {
      const exit = yield* Effect.exit(load(entry.route))
      if (Exit.isFailure(exit)) {
        forget(entry)
        entry.reject(toInferenceError(exit.cause))
        return yield* Effect.logWarning("A model could not be loaded", exit.cause)
      }
      entry.loaded = exit.value
      entry.resolve(exit.value)
      yield* Deferred.await(entry.released)
    }, Effect.scoped)

    // Models are released side by side, and after the finalizer below has answered everyone who waits.
    const models = yield* Scope.fork(yield* Effect.scope, "parallel")
    yield* Queue.take(requests).pipe(
      Effect.flatMap((entry) => Effect.forkIn(serve(entry), models)),
      Effect.forever,
      Effect.forkScoped,
    )
    let stopping = false
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        stopping = true
        for (const entry of entries.values()) entry.reject(stopped())
        entries.clear()
      }),
    )

    yield* routing.onChange((routed) => {
      for (const entry of entries.values()) {
        if (routed.has(entry.route.digest)) continue
        forget(entry)
        Deferred.doneUnsafe(entry.released, Exit.void)
      }
    })

    const request = (route: Route): Promise<Batcher> => {
      const { promise, resolve, reject } = Promise.withResolvers<Batcher>()
      promise.catch(() => {}) // whoever waits sees the failure; a caller who left must not crash the process
      const entry: Entry = {
        route,
        loaded: undefined,
        promise,
        resolve,
        reject,
        released: Deferred.makeUnsafe<void>(),
      }
      if (stopping) reject(stopped())
      else {
        entries.set(route.digest, entry)
        Queue.offerUnsafe(requests, entry)
      }
      return promise
    }

    return LoadedModels.of({
      get: (route) => {
        const entry = entries.get(route.digest)
        return entry === undefined ? request(route) : (entry.loaded ?? entry.promise)
      },
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
