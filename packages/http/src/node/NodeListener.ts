/**
 * The data plane on Node's own request and response, for every host that has them. Everything else goes on to
 * `app`. The guard stands before both, so no path gets around it.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Result } from "effect"
import type { DataPlaneHandler, Place } from "../dataplane/DataPlane.ts"
import { chunksLength, type DataPlaneResponse } from "../dataplane/response/response.ts"
import type { DataRoute } from "../dataplane/routes.ts"
import type { Guard } from "../guard/Guard.ts"

export type NodeListener = (request: IncomingMessage, response: ServerResponse) => void

export interface NodeListenerOptions {
  readonly dataPlane: DataPlaneHandler
  /** Answers everything that is not the data plane's. */
  readonly app: NodeListener
  readonly guard: Guard["Service"]
  /** Whether requests come by a Unix socket. Default: false. */
  readonly unixSocket?: boolean
}

/** Resolves at the first of the events. */
const either = (response: ServerResponse, ...events: ReadonlyArray<"drain" | "finish" | "close">) =>
  new Promise<void>((resolve) => {
    const happened = () => {
      for (const event of events) response.off(event, happened)
      resolve()
    }
    for (const event of events) response.on(event, happened)
  })

/** Writes chunks from where they lie, as many at once as the connection takes. */
const sendChunks = async (response: ServerResponse, chunks: ReadonlyArray<Uint8Array>) => {
  response.cork()
  for (const chunk of chunks) {
    if (response.write(chunk)) continue
    response.uncork()
    await either(response, "drain", "close")
    if (response.destroyed) return
    response.cork()
  }
  response.end()
}

/** A text up to this size, in UTF-16 units, is the system's as soon as it is written. */
const smallText = 64 * 1024

/** A promise only where the answer takes memory until its reader has taken it. */
const send = (
  response: ServerResponse,
  { status, headers, body }: DataPlaneResponse,
): Promise<void> | undefined => {
  if (response.destroyed) return undefined
  const isText = typeof body === "string"
  const length = isText ? Buffer.byteLength(body) : chunksLength(body)
  response.writeHead(status, { ...headers, "content-length": length })
  if (isText && body.length <= smallText) {
    response.end(body)
    return undefined
  }
  const written = either(response, "finish", "close")
  if (isText) response.end(body)
  else void sendChunks(response, body)
  return written
}

/** The body in pieces, `"too large"` past the limit, or undefined when the caller left before its end. */
const readBody = (request: IncomingMessage, limit: number) =>
  new Promise<ReadonlyArray<Buffer> | "too large" | undefined>((resolve) => {
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
    request.on("end", () => resolve(chunks))
    request.on("error", () => resolve(undefined))
    request.on("close", () => resolve(undefined))
  })

/** Refuses what it does not read, and so can't keep the connection. */
const refuse = (response: ServerResponse, refusal: DataPlaneResponse) => {
  void send(response, { ...refusal, headers: { ...refusal.headers, connection: "close" } })
}

/**
 * A body of at most so many bytes is cheaper to receive and drop than a new connection is to make. Not so larger ones:
 * with 1 MiB, a storm of 600 KB bodies left nothing to serve with (measured).
 */
const droppedBytes = 64 * 1024

/** Sends a caller away. In a storm, making connections anew would cost more than the refusals. */
const sendAway = (request: IncomingMessage, response: ServerResponse, refusal: DataPlaneResponse) => {
  const { "content-length": length, "transfer-encoding": coding } = request.headers
  if (coding === undefined && Number(length ?? 0) <= droppedBytes) void send(response, refusal)
  else refuse(response, refusal)
}

const answer = async (
  dataPlane: DataPlaneHandler,
  route: DataRoute,
  request: IncomingMessage,
  response: ServerResponse,
  place: Place,
) => {
  const { headers } = request
  const body = await readBody(request, dataPlane.maxRequestBytes)
  if (body === undefined) return
  if (body === "too large") {
    refuse(response, dataPlane.tooLarge(route, headers))
    return
  }
  const caller = new AbortController()
  response.on("close", () => {
    if (!response.writableFinished) caller.abort()
  })
  const found = await dataPlane
    .handle({ route, headers, body, place, signal: caller.signal })
    .catch(() => undefined)
  // Only a caller that left gets no answer.
  const sent = found === undefined ? undefined : send(response, found)
  if (sent !== undefined) await sent
}

const serve = (
  dataPlane: DataPlaneHandler,
  route: DataRoute,
  request: IncomingMessage,
  response: ServerResponse,
) => {
  const refusal = dataPlane.refuseHead(request.method ?? "", route, request.headers)
  if (refusal !== undefined) {
    refuse(response, refusal)
    return
  }
  const place = dataPlane.reserve(route, request.headers)
  if (Result.isFailure(place)) sendAway(request, response, place.failure)
  else void answer(dataPlane, route, request, response, place.success).finally(place.success.permit.release)
}

export const makeNodeListener =
  ({ dataPlane, app, guard, unixSocket = false }: NodeListenerOptions): NodeListener =>
  (request, response) => {
    const admitted = guard.admit({
      method: request.method ?? "",
      target: request.url ?? "/",
      headers: request.headers,
      peer: request.socket.remoteAddress,
      unixSocket,
    })
    if (Result.isFailure(admitted)) {
      sendAway(request, response, admitted.failure)
      return
    }
    const { identity, route } = admitted.success
    if (route === undefined) {
      guard.callers.set(request, identity)
      app(request, response)
    } else serve(dataPlane, route, request, response)
  }
