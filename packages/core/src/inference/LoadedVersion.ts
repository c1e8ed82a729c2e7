/** One version in memory, from the wish for it until its memory is given back. Plain code: every prediction looks here. */
import { Deferred, Exit } from "effect"
import type { Serving } from "../model/Serving.ts"
import type { Route } from "../registry/Route.ts"
import type { Batcher } from "./Batcher.ts"
import type { InferenceError } from "./InferenceError.ts"
import type { Tenant } from "./MemoryBudget.ts"
import type { Placement } from "./ModelRuntime.ts"
import type { BatchProbe } from "./probeBatching.ts"

/** What of a model's config decides how it is loaded; a change of it takes another load. */
const placementOf = ({ config }: Route): Placement => ({
  instances: config.instances,
  intraOpThreads: config.intraOpThreads,
  runLimitMs: config.runLimitMs,
  execution: config.execution,
})

export const samePlacement = (a: Placement, b: Placement) =>
  a.instances === b.instances &&
  a.intraOpThreads === b.intraOpThreads &&
  a.runLimitMs === b.runLimitMs &&
  a.execution === b.execution

/** Of all versions together: the order of their last uses. */
let uses = 0

export class LoadedVersion implements Tenant {
  /** With the config that it was last told. */
  route: Route
  readonly placement: Placement
  /** Takes requests; undefined until it is loaded and warm. */
  batcher: Batcher | undefined
  readonly promise: Promise<Batcher>
  readonly reject: (error: InferenceError) => void
  /** Succeeds when it is to give its memory back. */
  readonly released = Deferred.makeUnsafe<void>()
  /** Succeeds when its memory is free. */
  readonly gone = Deferred.makeUnsafe<void>()
  /** Why the config that was wanted last is not in force. */
  notice: string | null = null
  lastUsed = ++uses
  #stage: "loading" | "warming" | "serving" = "loading"
  #probe: BatchProbe | undefined
  readonly #resolve: (batcher: Batcher) => void
  readonly #onLeave: (version: LoadedVersion) => void

  /** `onLeave` is called once when it is released. */
  constructor(route: Route, onLeave: (version: LoadedVersion) => void) {
    const { promise, resolve, reject } = Promise.withResolvers<Batcher>()
    promise.catch(() => {}) // whoever waits sees the failure; a caller who left must not crash the process
    this.route = route
    this.placement = placementOf(route)
    this.promise = promise
    this.reject = reject
    this.#resolve = resolve
    this.#onLeave = onLeave
  }

  use(): Batcher | Promise<Batcher> {
    this.lastUsed = ++uses
    return this.batcher ?? this.promise
  }

  get canLeave(): boolean {
    return this.batcher !== undefined && !Deferred.isDoneUnsafe(this.released)
  }

  /** Takes no more requests; its memory is free once those it has are answered. */
  leave(): void {
    if (!Deferred.doneUnsafe(this.released, Exit.void)) return
    this.#onLeave(this)
  }

  warming(): void {
    this.#stage = "warming"
  }

  serve(batcher: Batcher, probe: BatchProbe): void {
    this.#stage = "serving"
    this.#probe = probe
    this.batcher = batcher
    this.lastUsed = ++uses
    this.#resolve(batcher)
  }

  /** Takes a new config as far as that is possible in place; false when it takes another load. */
  follow(route: Route): boolean {
    this.route = route
    if (!samePlacement(this.placement, placementOf(route))) return false
    const probe = this.#probe
    if (probe === undefined) return true
    if (probe.joins === undefined && (route.config.batching?.maxBatchSize ?? 1) > 1) return false
    this.notice = null
    this.batcher?.setPolicy(policyOf(route, probe))
    return true
  }

  get serving(): Serving {
    const failure = this.batcher?.failure
    return failure === undefined
      ? { state: this.#stage, reason: this.notice }
      : { state: "failed", reason: failure.message }
  }
}

/** The operator's word on batching, where the model can be joined at all; else what was measured. */
export const policyOf = ({ config: { batching = {} } }: Route, { joins, worthwhile }: BatchProbe) => ({
  maxBatchSize: joins === true ? (batching.maxBatchSize ?? worthwhile) : 1,
  maxDelayMs: batching.maxDelayMs ?? 0,
})
