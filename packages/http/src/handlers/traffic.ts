/** Handlers of traffic policies: translate, nothing else. */
import { ForgeApi } from "@modelforge/api"
import { ShadowTraffic, TrafficPolicies } from "@modelforge/core"
import { Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { pageOf, windowOf } from "./cursor.ts"
import { answering, modelName } from "./failures.ts"

const revisionKey = (key: string) =>
  /^[1-9]\d{0,8}$/.test(key) ? Option.some(Number(key)) : Option.none<number>()

export const layerTraffic = HttpApiBuilder.group(
  ForgeApi,
  "traffic",
  Effect.fnUntraced(function* (handlers) {
    const policies = yield* TrafficPolicies
    const shadows = yield* ShadowTraffic
    return handlers.handleAll({
      get: ({ params }) =>
        modelName(params.model).pipe(
          Effect.flatMap(policies.get),
          answering("ModelNotFound", "TrafficNotFound"),
        ),
      set: ({ params, query, payload: { reason, ...policy } }) =>
        modelName(params.model).pipe(
          Effect.flatMap((model) => policies.set(model, policy, { reason, force: query.force === "true" })),
          answering("ModelNotFound", "VersionNotFound", "VersionConflict", "IncompatibleSplit"),
        ),
      remove: ({ params }) =>
        modelName(params.model).pipe(
          Effect.flatMap((model) => policies.remove(model)),
          answering("ModelNotFound", "TrafficNotFound"),
        ),
      shadow: ({ params }) =>
        modelName(params.model).pipe(
          Effect.tap(policies.get),
          Effect.map((model) => ({ items: shadows.reports(model) })),
          answering("ModelNotFound", "TrafficNotFound"),
        ),
      history: Effect.fnUntraced(function* ({ params, query }) {
        const window = yield* windowOf(query, revisionKey)
        const model = yield* modelName(params.model)
        const changes = yield* policies.history(model, { ...window, limit: window.limit + 1 })
        return pageOf(changes, window.limit, ({ revision }) => revision)
      }, answering("ModelNotFound")),
    })
  }),
)
