/** Handlers of health. */
import { ForgeApi, Readiness } from "@modelforge/api"
import { RoutingTable } from "@modelforge/core"
import { Effect, Option, Schema } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { ServerReadiness } from "../ServerReadiness.ts"

const encode = Schema.encodeSync(Readiness)

export const layerSystem = HttpApiBuilder.group(
  ForgeApi,
  "system",
  Effect.fnUntraced(function* (handlers) {
    const readiness = yield* ServerReadiness
    const routing = yield* RoutingTable
    const state = Effect.map(readiness.get, (ready): Readiness => {
      const since = routing.outOfReachSince()
      return Option.isSome(since) ? { ...ready, registryOutOfReachSince: since.value } : ready
    })
    return handlers
      .handle("healthz", () => Effect.succeed({ ok: true }))
      .handleRaw("readyz", () =>
        Effect.map(state, (state) =>
          HttpServerResponse.jsonUnsafe(encode(state), { status: state.ready ? 200 : 503 }),
        ),
      )
  }),
)
