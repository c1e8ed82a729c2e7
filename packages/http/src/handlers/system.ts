/** Handlers of health. */
import { ForgeApi, Readiness } from "@modelforge/api"
import { Effect, Schema } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { ServerReadiness } from "../ServerReadiness.ts"

const encode = Schema.encodeSync(Readiness)

export const layerSystem = HttpApiBuilder.group(
  ForgeApi,
  "system",
  Effect.fnUntraced(function* (handlers) {
    const readiness = yield* ServerReadiness
    return handlers
      .handle("healthz", () => Effect.succeed({ ok: true }))
      .handleRaw("readyz", () =>
        Effect.map(readiness.get, (state) =>
          HttpServerResponse.jsonUnsafe(encode(state), { status: state.ready ? 200 : 503 }),
        ),
      )
  }),
)
