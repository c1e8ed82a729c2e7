/** Keeps the models that took requests loaded: one load per artifact, shared by everyone who waits for it. */
import { Cause, Context, Deferred, Effect, Exit, Layer, Option, Queue, Scope } from "effect"
import { ArtifactStore } from "../artifacts/ArtifactStore.ts"
import type { Digest } from "../model/Version.ts"
import { RoutingTable } from "../registry/RoutingTable.ts"
import { InferenceError } from "./InferenceError.ts"
import { type LoadedModel, LoadFailed, ModelRuntime, RunnerUnavailable } from "./ModelRuntime.ts"

interface Entry {
  readonly digest: Digest
  /** The model once it is loaded, so that the path of a prediction needs no promise for it. */
  loaded: LoadedModel | undefined
  readonly promise: Promise<LoadedModel>
  readonly resolve: (model: LoadedModel) => void
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
     * The model of an artifact: itself when it is loaded, else a promise of it, which rejects with an
     * `InferenceError`. A load that failed is tried again by the next request.
     */
    readonly get: (digest: Digest) => LoadedModel | Promise<LoadedModel>
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
      if (entries.get(entry.digest) === entry) entries.delete(entry.digest)
    }

    const load = Effect.fn("LoadedModels.load")(function* (digest: Digest) {
      const file = yield* Effect.mapError(artifacts.file(digest), (error) =>
        error.reason._tag === "ArtifactNotFound"
          ? new InferenceError({ reason: new LoadFailed({ detail: "its artifact is missing" }) })
          : unavailable("the artifact storage does not answer"),
      )
      return yield* Effect.mapError(runtime.load(file), ({ reason }) => new InferenceError({ reason }))
    })

    /** Loads, answers everyone who waits, and holds the model until it is released or the layer closes. */
    const serve = Effect.fnUntraced(function* (entry: Entry) {
      const exit = yield* Effect.exit(load(entry.digest))
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
        if (routed.has(entry.digest)) continue
        forget(entry)
        Deferred.doneUnsafe(entry.released, Exit.void)
      }
    })

    const request = (digest: Digest): Promise<LoadedModel> => {
      const { promise, resolve, reject } = Promise.withResolvers<LoadedModel>()
      promise.catch(() => {}) // whoever waits sees the failure; a caller who left must not crash the process
      const entry: Entry = {
        digest,
        loaded: undefined,
        promise,
        resolve,
        reject,
        released: Deferred.makeUnsafe<void>(),
      }
      if (stopping) reject(stopped())
      else {
        entries.set(digest, entry)
        Queue.offerUnsafe(requests, entry)
      }
      return promise
    }

    return LoadedModels.of({
      get: (digest) => {
        const entry = entries.get(digest)
        return entry === undefined ? request(digest) : (entry.loaded ?? entry.promise)
      },
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
