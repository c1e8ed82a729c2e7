/** The data plane behind the router, for hosts that speak Web requests only and do not mount it ahead. */
import { ByteSize, Effect } from "effect"
import { HttpIncomingMessage, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { DataPlane, type DataPlaneResponse } from "../dataplane/DataPlane.ts"
import type { DataRoute } from "../dataplane/routes.ts"

const toResponse = ({ status, headers, body }: DataPlaneResponse) =>
  HttpServerResponse.text(body, {
    status,
    headers,
    contentType: headers["content-type"] ?? "application/json",
  })

export const serveDataPlane = Effect.map(DataPlane, (dataPlane) =>
  Effect.fnUntraced(function* (route: DataRoute, request: HttpServerRequest.HttpServerRequest) {
    const { method, headers } = request
    const refusal = dataPlane.refuseHead(method, route, headers)
    if (refusal !== undefined) return toResponse(refusal)
    const body = yield* request.arrayBuffer.pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(dataPlane.maxRequestBytes)),
      Effect.option,
    )
    if (body._tag === "None") return toResponse(dataPlane.tooLarge(route, headers))
    const answer = yield* Effect.promise((signal) =>
      dataPlane.handle({ route, headers, body: new Uint8Array(body.value), signal }),
    )
    return toResponse(answer)
  }),
)
