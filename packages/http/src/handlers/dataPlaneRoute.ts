/** The data plane behind the router, for hosts that speak Web requests only and do not mount it ahead. */
import { ByteSize, Effect, Result, Stream } from "effect"
import { HttpIncomingMessage, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { DataPlane, type DataPlaneHandler, type Place } from "../dataplane/DataPlane.ts"
import { chunksLength, type DataPlaneResponse } from "../dataplane/response/response.ts"
import type { DataRoute } from "../dataplane/routes.ts"

/** A text up to this size, in UTF-16 units, is handed over as it is: it costs its host next to nothing. */
const smallText = 64 * 1024

const encoder = new TextEncoder()

/** What takes memory is a stream: the scope of its request, and with it the place, ends when it was read, or left. */
export const toResponse = ({ status, headers, body }: DataPlaneResponse) => {
  const options = { status, headers, contentType: headers["content-type"] ?? "application/json" }
  if (typeof body === "string" && body.length <= smallText) return HttpServerResponse.text(body, options)
  const chunks = typeof body === "string" ? [encoder.encode(body)] : body
  return HttpServerResponse.stream(Stream.fromIterable(chunks), {
    ...options,
    contentLength: chunksLength(chunks),
  })
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
    yield* Effect.addFinalizer(() => Effect.sync(place.permit.release))
    return yield* answer(dataPlane, route, request, place)
  }),
)
