/** `/v1` predictions behind the router. */
import { ForgeApi } from "@modelforge/api"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { serveDataPlane } from "./dataPlaneRoute.ts"

export const layerPredict = HttpApiBuilder.group(
  ForgeApi,
  "predict",
  Effect.fnUntraced(function* (handlers) {
    const serve = yield* serveDataPlane
    return handlers.handleRaw("predict", ({ params, request }) =>
      serve({ kind: "predict", model: params.model, version: undefined }, request),
    )
  }),
)
