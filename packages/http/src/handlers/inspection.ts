/** Handlers of graphs and comparisons: translate, nothing else. */
import { ForgeApi } from "@modelforge/api"
import { compareVersions, Registry } from "@modelforge/core"
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { permitModel } from "../guard/permitModel.ts"
import { answering, modelName } from "./failures.ts"

/** Whether a client has what it asks for, by the weak comparison that RFC 9110 wants of `If-None-Match`. */
const isKnown = (header: string | undefined, etag: string): boolean =>
  header?.split(",").some((tag) => ["*", etag].includes(tag.trim().replace(/^W\//, ""))) ?? false

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
            // To be asked again: an alias moves, and a deleted model's name may be taken by another.
            const kept = { etag: `"${digest}"`, "cache-control": "private, no-cache" }
            return isKnown(headers["if-none-match"], kept.etag)
              ? HttpServerResponse.empty({ status: 304, headers: kept })
              : HttpServerResponse.text(yield* json, { contentType: "application/json", headers: kept })
          },
          answering("ModelNotFound", "VersionNotFound", "GraphNotFound"),
        ),
      )
  }),
)
