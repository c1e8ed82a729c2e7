/** The data plane behind the router, for hosts that speak Web requests only and do not mount it ahead. */
import { ByteSize, Effect, Result } from "effect"
import { HttpIncomingMessage, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { DataPlane, type DataPlaneHandler, type DataPlaneResponse } from "../dataplane/DataPlane.ts"
import type { DataRoute } from "../dataplane/routes.ts"

const toResponse = ({ status, headers, body }: DataPlaneResponse) =>
  HttpServerResponse.text(body, {
    status,
    headers,
    contentType: headers["content-type"] ?? "application/json",
  })

const answer = Effect.fnUntraced(function* (
  dataPlane: DataPlaneHandler,
  route: DataRoute,
  request: HttpServerRequest.HttpServerRequest,
) {
  const { headers } = request
  const body = yield* request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(dataPlane.maxRequestBytes)),
    Effect.option,
  )
  if (body._tag === "None") return toResponse(dataPlane.tooLarge(route, headers))
  const found = yield* Effect.promise((signal) =>
    dataPlane.handle({ route, headers, body: new Uint8Array(body.value), signal }),
  )
  return toResponse(found)
})

export const serveDataPlane = Effect.map(DataPlane, (dataPlane) =>
  Effect.fnUntraced(function* (route: DataRoute, request: HttpServerRequest.HttpServerRequest) {
    const { method, headers } = request
    const refusal = dataPlane.refuseHead(method, route, headers)
    if (refusal !== undefined) return toResponse(refusal)
    const place = dataPlane.reserve(route, headers)
    if (Result.isFailure(place)) return toResponse(place.failure)
    return yield* answer(dataPlane, route, request).pipe(Effect.ensuring(Effect.sync(place.success.release)))
  }),
)
