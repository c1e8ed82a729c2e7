/** Handlers of graphs and comparisons: translate, nothing else. */
import { ForgeApi } from "@modelforge/api"
import { compareVersions, Registry } from "@modelforge/core"
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { permitModel } from "../guard/permitModel.ts"
import { revalidated, unlessKnown } from "./conditions.ts"
import { answering, modelName } from "./failures.ts"

export const layerInspection = HttpApiBuilder.group(
  ForgeApi,
  "inspection",
  Effect.fnUntraced(function* (handlers) {
    const registry = yield* Registry
    return handlers
      .handleAll({
        compare: Effect.fnUntraced(
          function* ({ params, query }) {
            if (query.toModel !== undefined) yield* permitModel(query.toModel)
            const from = yield* registry.version(yield* modelName(params.model), params.version)
            const to = yield* registry.version(yield* modelName(query.toModel ?? params.model), query.to)
            return compareVersions(from, to)
          },
          answering("ModelNotFound", "VersionNotFound"),
        ),
      })
      .handleRaw(
        "graph",
        Effect.fnUntraced(
          function* ({ params, headers }) {
            const { digest, json } = yield* registry.graph(yield* modelName(params.model), params.version)
            const etag = `"${digest}"`
            const answer = Effect.map(json, (text) =>
              HttpServerResponse.text(text, {
                contentType: "application/json",
                headers: { etag, ...revalidated },
              }),
            )
            const found = unlessKnown(headers, etag, () => answer)
            return Effect.isEffect(found) ? yield* found : found
          },
          answering("ModelNotFound", "VersionNotFound", "GraphNotFound"),
        ),
      )
  }),
)
