/** Handlers of traffic policies: translate, nothing else. */
import { ForgeApi } from "@modelforge/api"
import { ShadowTraffic, type Traffic, TrafficPolicies } from "@modelforge/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { entityTag, expectationOf, tagged, unlessKnown } from "./conditions.ts"
import { makeCursors, numberKey } from "./cursor.ts"
import { answering, modelName } from "./failures.ts"

const answer = (traffic: Traffic) => tagged(traffic, entityTag(traffic))

export const layerTraffic = HttpApiBuilder.group(
  ForgeApi,
  "traffic",
  Effect.fnUntraced(function* (handlers) {
    const policies = yield* TrafficPolicies
    const { windowOf, pageOf } = yield* makeCursors
    const shadows = yield* ShadowTraffic
    return handlers.handleAll({
      get: ({ params, headers }) =>
        modelName(params.model).pipe(
          Effect.flatMap(policies.get),
          Effect.map((traffic) => unlessKnown(headers, entityTag(traffic), () => answer(traffic))),
          answering("ModelNotFound", "TrafficNotFound"),
        ),
      set: ({ params, query, headers, payload: { reason, ...policy } }) =>
        modelName(params.model).pipe(
          Effect.flatMap((model) =>
            policies.set(model, policy, {
              reason,
              force: query.force === "true",
              expected: expectationOf(headers),
            }),
          ),
          Effect.map(answer),
          answering(
            "ModelNotFound",
            "VersionNotFound",
            "VersionConflict",
            "IncompatibleSplit",
            "RevisionMismatch",
          ),
        ),
      remove: ({ params, headers }) =>
        modelName(params.model).pipe(
          Effect.flatMap((model) => policies.remove(model, { expected: expectationOf(headers) })),
          answering("ModelNotFound", "TrafficNotFound", "RevisionMismatch"),
        ),
      shadow: ({ params }) =>
        modelName(params.model).pipe(
          Effect.tap(policies.get),
          Effect.map((model) => ({ items: shadows.reports(model) })),
          answering("ModelNotFound", "TrafficNotFound"),
        ),
      history: Effect.fnUntraced(function* ({ params, query }) {
        const window = yield* windowOf(["traffic", params.model], query, numberKey)
        const model = yield* modelName(params.model)
        const changes = yield* policies.history(model, { ...window, limit: window.limit + 1 })
        return pageOf(["traffic", model], changes, window.limit, ({ revision }) => revision)
      }, answering("ModelNotFound")),
    })
  }),
)
