/** Setting and removing the traffic policy of a model: guarded, announced and remembered. */
import { Context, Effect, Layer, Option } from "effect"
import type { ModelName } from "../model/Names.ts"
import { inForceAfter, type Traffic, type TrafficChange, type TrafficPolicy } from "../model/TrafficPolicy.ts"
import type { Expectation } from "./Expectation.ts"
import { ModelNotFound, RegistryError, TrafficNotFound } from "./RegistryError.ts"
import { RegistryStore, type Window } from "./RegistryStore.ts"
import { RoutingTable } from "./RoutingTable.ts"
import { incompatibleSplit } from "./splitChecks.ts"

export interface TrafficRequest {
  /** For the history. */
  readonly reason?: string | undefined
  /** Splits requests even if callers may fail with a version's signature. Default: false. */
  readonly force?: boolean | undefined
  /** The policy is replaced only if it is this one, or made only if there is none. Default: whatever it is. */
  readonly expected?: Expectation | undefined
}

const refuse = (reason: RegistryError["reason"]) => Effect.fail(new RegistryError({ reason }))

export class TrafficPolicies extends Context.Service<
  TrafficPolicies,
  {
    /** Fails with `ModelNotFound` or `TrafficNotFound`. */
    readonly get: (model: ModelName) => Effect.Effect<Traffic, RegistryError>
    /**
     * Spreads the requests that name no version from then on. Fails with `ModelNotFound`, `VersionNotFound`,
     * `VersionConflict` when a version is not ready, `RevisionMismatch`, or `IncompatibleSplit` unless forced.
     */
    readonly set: (
      model: ModelName,
      policy: TrafficPolicy,
      request?: TrafficRequest,
    ) => Effect.Effect<Traffic, RegistryError>
    /** Requests go to `production` again. Fails with `ModelNotFound`, `TrafficNotFound` or `RevisionMismatch`. */
    readonly remove: (
      model: ModelName,
      request?: Omit<TrafficRequest, "force">,
    ) => Effect.Effect<void, RegistryError>
    /** Newest first, `after` is a revision. Fails with `ModelNotFound`. */
    readonly history: (
      model: ModelName,
      window: Window<number>,
    ) => Effect.Effect<ReadonlyArray<TrafficChange>, RegistryError>
  }
>()("@modelforge/core/registry/TrafficPolicies") {
  static readonly make = Effect.gen(function* () {
    const store = yield* RegistryStore
    const { thenRefresh } = yield* RoutingTable

    return TrafficPolicies.of({
      get: Effect.fn("TrafficPolicies.get")(function* (model) {
        const found = yield* store.findModel(model)
        if (Option.isNone(found)) return yield* refuse(new ModelNotFound({ model }))
        return found.value.traffic ?? (yield* refuse(new TrafficNotFound({ model })))
      }),
      set: Effect.fn("TrafficPolicies.set")(function* (model, policy, { force = false, ...options } = {}) {
        const guard = force ? undefined : incompatibleSplit
        const change = yield* thenRefresh(model, store.setTraffic(model, policy, { ...options, guard }))
        return yield* Effect.orDie(Effect.fromNullishOr(inForceAfter(change)))
      }),
      remove: Effect.fn("TrafficPolicies.remove")(function* (model, request) {
        yield* thenRefresh(model, store.setTraffic(model, null, request))
      }),
      history: Effect.fn("TrafficPolicies.history")(function* (model, window) {
        if (Option.isNone(yield* store.findModel(model))) return yield* refuse(new ModelNotFound({ model }))
        return yield* store.listTrafficChanges(model, window)
      }),
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
