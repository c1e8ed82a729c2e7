/**
 * Which versions this server has in memory: loads them on first use, when an alias points at them, or by hand, keeps
 * them within the memory budget, and follows what operators change. Each takes requests through its batcher.
 */
import { Cause, Clock, Context, Deferred, Duration, Effect, Exit, Layer, Option, Queue, Scope } from "effect"
import type { ArtifactError } from "../artifacts/ArtifactError.ts"
import { ArtifactStore } from "../artifacts/ArtifactStore.ts"
import { AuditLog } from "../audit/AuditLog.ts"
import { ForgeConfig } from "../ForgeConfig.ts"
import type { ModelConfig } from "../model/ModelConfig.ts"
import type { Serving } from "../model/Serving.ts"
import type { Route } from "../registry/Route.ts"
import { type Routed, RoutingTable } from "../registry/RoutingTable.ts"
import { Batcher } from "./Batcher.ts"
import { InferenceError, VersionUnloaded } from "./InferenceError.ts"
import { LoadedVersion, policyOf, samePlacement } from "./LoadedVersion.ts"
import { MemoryBudget } from "./MemoryBudget.ts"
import { LoadFailed, ModelRuntime, type Placement, RunnerUnavailable, RuntimeError } from "./ModelRuntime.ts"
import { ModelStatistics } from "./ModelStatistics.ts"
import { probeBatching } from "./probeBatching.ts"
import { warmUp } from "./warmUp.ts"

/** Why a version could not be loaded, and until when that is not tried again for requests. */
interface Failure {
  readonly error: InferenceError
  /** Milliseconds since the epoch. */
  readonly until: number
  /** What it was loaded with. Once its model is changed, it is tried again. */
  readonly config: ModelConfig
}

/** What a version took when it was loaded last. */
interface Measured {
  readonly placement: Placement
  readonly bytes: number
}

const unloadedByHand: Serving = { state: "unloaded", reason: "unloaded by hand, until it is loaded again" }
const unloaded: Serving = { state: "unloaded", reason: null }

const unavailable = (detail: string) => new InferenceError({ reason: new RunnerUnavailable({ detail }) })
const loadFailed = (detail: string) => new InferenceError({ reason: new LoadFailed({ detail }) })

const stopped = () => unavailable("the server is stopping")

/** Why a load gave nothing, as callers are told. */
const toInferenceError = (cause: Cause.Cause<InferenceError>): InferenceError =>
  Option.getOrElse(Cause.findErrorOption(cause), () =>
    unavailable("the load broke off unexpectedly, see the server's log"),
  )

/** A promise that rejects with a `RuntimeError` or by a bug. */
const attempt = <A>(promise: () => Promise<A>): Effect.Effect<A, InferenceError> =>
  Effect.tryPromise({ try: promise, catch: (error) => error }).pipe(
    Effect.catch((error) =>
      error instanceof RuntimeError
        ? Effect.fail(new InferenceError({ reason: error.reason }))
        : Effect.die(error),
    ),
  )

/** Of a caller who may have left: that must not crash the process. */
const rejection = (error: InferenceError): Promise<never> => {
  const promise = Promise.reject(error)
  promise.catch(() => {})
  return promise
}

const mebibytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`

const artifactTrouble = ({ reason }: ArtifactError): InferenceError => {
  switch (reason._tag) {
    case "ArtifactNotFound":
      return loadFailed("its artifact is missing")
    case "ArtifactCorrupt":
      return loadFailed("its artifact is damaged, delete this version and upload the file again")
    default:
      return unavailable("the artifact storage does not answer")
  }
}

export class LoadedModels extends Context.Service<
  LoadedModels,
  {
    /**
     * What takes a route's requests: itself when it is loaded, else a promise of it, which rejects with an
     * `InferenceError`. Of a promise, the first use may come too late (`BatcherClosed`): ask again.
     */
    readonly get: (route: Route) => Batcher | Promise<Batcher>
    /** Loads a version, also one that failed or was unloaded by hand; succeeds when it serves. In the audit log. */
    readonly load: (route: Route) => Effect.Effect<void, InferenceError>
    /**
     * Unloads a version by hand; succeeds when its requests are answered and its memory is free. Until it is loaded
     * again, requests for it fail with `VersionUnloaded`. In the audit log.
     */
    readonly unload: (route: Route) => Effect.Effect<void>
    /** Of a version, by `routeIdOf`. */
    readonly serving: (id: string) => Serving
    /** Bytes that a version takes, by `routeIdOf`; undefined while it is not in memory. */
    readonly memoryBytes: (id: string) => number | undefined
    /** Completes when every version that carried an alias at the start, as far as memory allows, serves or has failed. */
    readonly preloaded: Effect.Effect<void>
  }
>()("@modelforge/core/inference/LoadedModels") {
  static readonly make = Effect.gen(function* () {
    const artifacts = yield* ArtifactStore
    const runtime = yield* ModelRuntime
    const routing = yield* RoutingTable
    const audit = yield* AuditLog
    const statistics = yield* ModelStatistics
    const config = yield* ForgeConfig
    const clock = yield* Clock.Clock
    const holdOffMs = Duration.toMillis(config.loadHoldOff)
    const memory = new MemoryBudget(config.modelMemoryBytes)
    /** Who takes requests, or will. */
    const versions = new Map<string, LoadedVersion>()
    /** Who takes over from those, once loaded: their config was changed. */
    const successors = new Map<string, LoadedVersion>()
    const failures = new Map<string, Failure>()
    const heldByHand = new Set<string>()
    const measured = new Map<string, Measured>()
    // Predictions are plain promises; this queue is where they hand the loading over to a fiber.
    const requests = yield* Queue.unbounded<LoadedVersion>()
    let stopping = false

    const estimate = ({ route, placement }: LoadedVersion) => {
      const last = measured.get(route.id)
      return last !== undefined && samePlacement(last.placement, placement)
        ? last.bytes
        : runtime.estimateBytes(route.size, placement)
    }

    const forget = (version: LoadedVersion) => {
      const { id } = version.route
      if (successors.get(id) === version) successors.delete(id)
      if (versions.get(id) !== version) return
      versions.delete(id)
      const successor = successors.get(id)
      if (successor === undefined) return
      successors.delete(id)
      versions.set(id, successor)
    }

    /** Held as long as the model: a runner that crashed reads it again. */
    const fileOf = ({ digest }: Route) => Effect.mapError(artifacts.file(digest), artifactTrouble)

    const tooLarge = (bytes: number) =>
      loadFailed(
        `it takes ${mebibytes(bytes)} of memory, more than the ${mebibytes(memory.limit)} that all models may take: raise the limit, or run fewer instances`,
      )

    const load = Effect.fn("LoadedModels.load")(function* (version: LoadedVersion) {
      const { route, placement } = version
      const likely = estimate(version)
      if (likely > memory.limit) return yield* tooLarge(likely)
      yield* memory.admit(version, likely)
      const file = yield* fileOf(route)
      const model = yield* Effect.mapError(
        runtime.load(file, placement),
        ({ reason }) => new InferenceError({ reason }),
      )
      version.warming()
      const { warmup, batching } = route.config
      yield* attempt(() => warmUp(model, route.signature, warmup))
      const probe = yield* attempt(() => probeBatching(model, route.signature, batching?.maxBatchSize))
      const bytes = yield* attempt(model.memoryBytes)
      measured.set(route.id, { placement, bytes })
      if (bytes > memory.limit) return yield* tooLarge(bytes)
      const batcher = new Batcher(model, policyOf(version.route, probe), statistics.of(route))
      // Whoever handed a request in before the model was released still gets the answer; requests have deadlines.
      yield* Effect.addFinalizer(() => Effect.promise(() => batcher.close()))
      return { batcher, probe, bytes }
    })

    const fail = (version: LoadedVersion, cause: Cause.Cause<InferenceError>) => {
      const error = toInferenceError(cause)
      const { id } = version.route
      if (successors.get(id) === version) {
        const current = versions.get(id)
        if (current !== undefined) current.notice = `its new config is not in force: ${error.message}`
      } else if (error.reason._tag === "LoadFailed")
        failures.set(id, {
          error,
          until: clock.currentTimeMillisUnsafe() + holdOffMs,
          config: version.route.config,
        })
      forget(version)
      version.reject(error)
      return Effect.logWarning("A model could not be loaded", cause)
    }

    /** Loads, answers everyone who waits, and holds the model until it is released or the layer closes. */
    const serve = (version: LoadedVersion) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(load(version))
        if (Exit.isFailure(exit)) return yield* fail(version, exit.cause)
        const { batcher, probe, bytes } = exit.value
        version.serve(batcher, probe)
        memory.correct(version, bytes)
        const { id } = version.route
        failures.delete(id)
        if (successors.get(id) === version) versions.get(id)?.leave()
        yield* Deferred.await(version.released)
      }).pipe(
        Effect.scoped,
        Effect.ensuring(
          Effect.sync(() => {
            memory.left(version)
            Deferred.doneUnsafe(version.gone, Exit.void)
          }),
        ),
      )

    // Models are released side by side, and after the finalizer below has answered everyone who waits.
    const models = yield* Scope.fork(yield* Effect.scope, "parallel")
    yield* Queue.take(requests).pipe(
      Effect.flatMap((version) => Effect.forkIn(serve(version), models)),
      Effect.forever,
      Effect.forkScoped,
    )
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        stopping = true
        for (const version of [...versions.values(), ...successors.values()]) version.reject(stopped())
        versions.clear()
        successors.clear()
      }),
    )

    const begin = (route: Route): LoadedVersion => {
      const version = new LoadedVersion(route, forget)
      versions.set(route.id, version)
      Queue.offerUnsafe(requests, version)
      return version
    }

    /** With what is in force until then, which stays when the new config turns out not to work. */
    const replace = (route: Route) => {
      successors.get(route.id)?.leave()
      const successor = new LoadedVersion(route, forget)
      successors.set(route.id, successor)
      Queue.offerUnsafe(requests, successor)
    }

    /** Loads a version that nobody asked for yet, when no other has to go for it. */
    const preload = (route: Route): LoadedVersion | undefined => {
      if (stopping || versions.has(route.id) || heldByHand.has(route.id)) return undefined
      const version = new LoadedVersion(route, forget)
      if (!memory.tryAdmit(version, estimate(version))) return undefined
      versions.set(route.id, version)
      Queue.offerUnsafe(requests, version)
      return version
    }

    let aliased: ReadonlySet<string> = new Set()
    const preloads: Array<LoadedVersion> = []
    const follow = (routed: Routed) => {
      const { routes } = routed
      for (const version of [...versions.values()]) {
        const route = routes.get(version.route.id)
        const next = successors.get(version.route.id)
        if (route === undefined) {
          next?.leave()
          version.leave()
        } else if (!version.follow(route)) {
          if (next === undefined || !next.follow(route)) replace(route)
        } else next?.leave()
      }
      for (const known of [heldByHand, measured])
        for (const id of known.keys()) if (!routes.has(id)) known.delete(id)
      for (const [id, { config }] of failures) if (routes.get(id)?.config !== config) failures.delete(id)
      for (const id of routed.aliased) {
        const route = aliased.has(id) ? undefined : routes.get(id)
        const version = route && preload(route)
        if (version !== undefined) preloads.push(version)
      }
      aliased = routed.aliased
    }
    yield* routing.onChange(follow)
    yield* routing.handOverBy({
      serves: (id) => versions.get(id)?.serving.state === "serving",
      loading: (id) => {
        const version = versions.get(id)
        return version?.batcher === undefined ? version?.promise : undefined
      },
    })
    const atStart = Promise.allSettled(preloads.splice(0).map(({ promise }) => promise))

    const refusal = ({ id, model, version }: Route): InferenceError | undefined => {
      if (stopping) return stopped()
      if (heldByHand.has(id)) return new InferenceError({ reason: new VersionUnloaded({ model, version }) })
      const failure = failures.get(id)
      if (failure !== undefined && clock.currentTimeMillisUnsafe() < failure.until) return failure.error
      failures.delete(id)
      return undefined
    }

    const get = (route: Route): Batcher | Promise<Batcher> => {
      const version = versions.get(route.id)
      if (version !== undefined) return version.use()
      const refused = refusal(route)
      return refused === undefined ? begin(route).promise : rejection(refused)
    }

    /** This server's memory is meant; serving goes on without the database. */
    const noteByHand = (action: "version.loaded" | "version.unloaded", { model, version }: Route) =>
      audit.note({ action, target: { type: "version", id: `${model}/${version}` } })

    return LoadedModels.of({
      get,
      load: Effect.fn("LoadedModels.load")(function* (route) {
        heldByHand.delete(route.id)
        failures.delete(route.id)
        const version = versions.get(route.id)
        // One that crashed again and again starts afresh.
        if (version?.batcher?.failure !== undefined) version.leave()
        yield* Effect.tryPromise({
          try: async () => await get(route),
          catch: (error) => error,
        }).pipe(
          Effect.catch((error) => (error instanceof InferenceError ? Effect.fail(error) : Effect.die(error))),
        )
        yield* noteByHand("version.loaded", route)
      }),
      unload: Effect.fn("LoadedModels.unload")(function* (route) {
        const { id } = route
        heldByHand.add(id)
        failures.delete(id)
        const leaving = [successors.get(id), versions.get(id)].filter((version) => version !== undefined)
        for (const version of leaving) version.leave()
        yield* Effect.forEach(leaving, ({ gone }) => Deferred.await(gone), { discard: true })
        yield* noteByHand("version.unloaded", route)
      }),
      serving: (id) => {
        const version = versions.get(id)
        if (version !== undefined) return version.serving
        if (heldByHand.has(id)) return unloadedByHand
        const failure = failures.get(id)
        return failure === undefined ? unloaded : { state: "failed", reason: failure.error.message }
      },
      memoryBytes: (id) => (versions.get(id)?.batcher === undefined ? undefined : measured.get(id)?.bytes),
      preloaded: Effect.promise(() => atStart).pipe(Effect.asVoid),
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
