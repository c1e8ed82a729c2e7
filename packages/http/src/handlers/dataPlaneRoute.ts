/** The data plane behind the router, for hosts that speak Web requests only and do not mount it ahead. */
import { ByteSize, Effect, Result, Stream } from "effect"
import { HttpIncomingMessage, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { DataPlane, type DataPlaneHandler, type Place } from "../dataplane/DataPlane.ts"
import { chunksLength, type DataPlaneResponse } from "../dataplane/response/response.ts"
import type { DataRoute } from "../dataplane/routes.ts"

export const toResponse = ({ status, headers, body }: DataPlaneResponse) => {
  const options = { status, headers, contentType: headers["content-type"] ?? "application/json" }
  return typeof body === "string"
    ? HttpServerResponse.text(body, options)
    : HttpServerResponse.stream(Stream.fromIterable(body), { ...options, contentLength: chunksLength(body) })
}

const answer = Effect.fnUntraced(function* (
  dataPlane: DataPlaneHandler,
  route: DataRoute,
  request: HttpServerRequest.HttpServerRequest,
  place: Place,
) {
  const { headers } = request
  const body = yield* request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(dataPlane.maxRequestBytes)),
    Effect.option,
  )
  if (body._tag === "None") return toResponse(dataPlane.tooLarge(route, headers))
  const found = yield* Effect.promise((signal) =>
    dataPlane.handle({ route, headers, body: new Uint8Array(body.value), place, signal }),
  )
  return toResponse(found)
})

export const serveDataPlane = Effect.map(DataPlane, (dataPlane) =>
  Effect.fnUntraced(function* (route: DataRoute, request: HttpServerRequest.HttpServerRequest) {
    const { method, headers } = request
    const refusal = dataPlane.refuseHead(method, route, headers)
    if (refusal !== undefined) return toResponse(refusal)
    const reserved = dataPlane.reserve(route, headers)
    if (Result.isFailure(reserved)) return toResponse(reserved.failure)
    const place = reserved.success
    return yield* answer(dataPlane, route, request, place).pipe(
      Effect.ensuring(Effect.sync(place.permit.release)),
    )
  }),
)
