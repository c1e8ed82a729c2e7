/**
 * The data plane on Node's own request and response, for every host that has them. Everything else goes on to
 * `app`. The guard stands before both, so no path gets around it.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { ForbiddenProblem } from "@modelforge/api"
import { Result } from "effect"
import type { DataPlaneHandler, DataPlaneResponse, RequestHeaders } from "../dataplane/DataPlane.ts"
import { type DataRoute, matchRoute } from "../dataplane/routes.ts"
import type { Arrival } from "../guard/openMode.ts"

export type NodeListener = (request: IncomingMessage, response: ServerResponse) => void

export interface NodeListenerOptions {
  readonly dataPlane: DataPlaneHandler
  /** Answers everything that is not the data plane's. */
  readonly app: NodeListener
  /** Why a request is refused; undefined lets it pass. */
  readonly guard: (arrival: Arrival) => string | undefined
  /** Whether requests come by a Unix socket. Default: false. */
  readonly unixSocket?: boolean
}

const send = (response: ServerResponse, { status, headers, body }: DataPlaneResponse) => {
  if (response.destroyed) return
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) })
  response.end(body)
}

/** The body, `"too large"` past the limit, or undefined when the caller left before its end. */
const readBody = (request: IncomingMessage, limit: number) =>
  new Promise<Buffer | "too large" | undefined>((resolve) => {
    const chunks: Array<Buffer> = []
    let size = 0
    request.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) {
        request.removeAllListeners("data")
        request.pause()
        resolve("too large")
      } else chunks.push(chunk)
    })
    request.on("end", () => {
      const [only] = chunks
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, size))
    })
    request.on("error", () => resolve(undefined))
    request.on("close", () => resolve(undefined))
  })

/** Refuses what it does not read, and so can't keep the connection. */
const refuse = (response: ServerResponse, refusal: DataPlaneResponse) =>
  send(response, { ...refusal, headers: { ...refusal.headers, connection: "close" } })

/** A body of at most so many bytes is cheaper to receive and drop than a new connection is to make. */
const droppedBytes = 64 * 1024

/** Sends a well-behaved caller away. In a storm, making connections anew would cost more than the refusals. */
const sendAway = (request: IncomingMessage, response: ServerResponse, refusal: DataPlaneResponse) => {
  const isSmall = Number(request.headers["content-length"]) <= droppedBytes
  return isSmall ? send(response, refusal) : refuse(response, refusal)
}

const forbidden = (target: string, detail: string): DataPlaneResponse =>
  /^\/v2(?:[/?]|$)/.test(target)
    ? {
        status: 403,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ error: detail }),
      }
    : {
        status: 403,
        headers: { "content-type": "application/problem+json" },
        body: JSON.stringify(new ForbiddenProblem({ detail })),
      }

const answer = async (
  dataPlane: DataPlaneHandler,
  route: DataRoute,
  request: IncomingMessage,
  response: ServerResponse,
) => {
  const headers: RequestHeaders = request.headers
  const body = await readBody(request, dataPlane.maxRequestBytes)
  if (body === undefined) return
  if (body === "too large") return refuse(response, dataPlane.tooLarge(route, headers))
  const caller = new AbortController()
  response.on("close", () => {
    if (!response.writableFinished) caller.abort()
  })
  const found = await dataPlane.handle({ route, headers, body, signal: caller.signal }).catch(() => undefined)
  // Only a caller that left gets no answer.
  if (found !== undefined) send(response, found)
}

const serve = (
  dataPlane: DataPlaneHandler,
  route: DataRoute,
  request: IncomingMessage,
  response: ServerResponse,
) => {
  const refusal = dataPlane.refuseHead(request.method ?? "", route, request.headers)
  if (refusal !== undefined) return refuse(response, refusal)
  const place = dataPlane.reserve(route, request.headers)
  if (Result.isFailure(place)) return sendAway(request, response, place.failure)
  void answer(dataPlane, route, request, response).finally(place.success.release)
}

export const makeNodeListener =
  ({ dataPlane, app, guard, unixSocket = false }: NodeListenerOptions): NodeListener =>
  (request, response) => {
    const target = request.url ?? "/"
    const refusal = guard({ peer: request.socket.remoteAddress, unixSocket, headers: request.headers })
    if (refusal !== undefined) return refuse(response, forbidden(target, refusal))
    const route = matchRoute(target)
    if (route === undefined) app(request, response)
    else serve(dataPlane, route, request, response)
  }
