/**
 * The data plane on Node's own request and response, for every host that has them. Everything else goes on to
 * `app`. The guard stands before both, so no path gets around it.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Result } from "effect"
import type { DataPlaneHandler, Place } from "../dataplane/DataPlane.ts"
import { chunksLength, type DataPlaneResponse } from "../dataplane/response/response.ts"
import type { DataRoute } from "../dataplane/routes.ts"
import type { Admitted, Guard } from "../guard/Guard.ts"
import type { Counted } from "../limits/rateLimitHeaders.ts"
import { makeProtection, type Passage, type ProtectionService } from "../protection/Protection.ts"
import { CallerLeft } from "./CallerLeft.ts"
import { type BodyPatience, SlowBodies } from "./SlowBodies.ts"

export type NodeListener = (request: IncomingMessage, response: ServerResponse) => void

export interface NodeListenerOptions {
  readonly dataPlane: DataPlaneHandler
  /** Answers everything that is not the data plane's. */
  readonly app: NodeListener
  readonly guard: Guard["Service"]
  /** Default: with the default options. */
  readonly protection?: ProtectionService
  /** Whether requests come by a Unix socket. Default: false. */
  readonly unixSocket?: boolean
  /** For bodies that come slowly. */
  readonly patience?: BodyPatience | undefined
}

/** What every answer to a request has, where it has no such header of its own. */
type CommonHeaders = Readonly<Record<string, string>>

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

/** Names and values in turn, which Node writes fastest. Headers of an answer's own count for more than the common ones. */
const headerLines = (common: CommonHeaders, own: DataPlaneResponse["headers"]): Array<string> => {
  const lines: Array<string> = []
  for (const name in common) if (own[name] === undefined) lines.push(name, common[name] ?? "")
  for (const name in own) lines.push(name, own[name] ?? "")
  return lines
}

/** A promise only where the answer takes memory until its reader has taken it. */
const send = (
  response: ServerResponse,
  { status, headers, body }: DataPlaneResponse,
  common: CommonHeaders,
): Promise<void> | undefined => {
  if (response.destroyed) return undefined
  const isText = typeof body === "string"
  const lines = headerLines(common, headers)
  if (status !== 204)
    lines.push("content-length", String(isText ? Buffer.byteLength(body) : chunksLength(body)))
  response.writeHead(status, lines)
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
    // Also after an error, which Node tells of only where somebody listens.
    request.on("close", () => resolve(undefined))
  })

/** Refuses what it does not read, and so can't keep the connection. */
const refuse = (response: ServerResponse, refusal: DataPlaneResponse, common: CommonHeaders) => {
  void send(response, { ...refusal, headers: { ...refusal.headers, connection: "close" } }, common)
}

/**
 * A body of at most so many bytes is cheaper to receive and drop than a new connection is to make. Not so larger ones:
 * with 1 MiB, a storm of 600 KB bodies left nothing to serve with (measured).
 */
const droppedBytes = 64 * 1024

/** Sends a caller away. In a storm, making connections anew would cost more than the refusals. */
const sendAway = (
  request: IncomingMessage,
  response: ServerResponse,
  refusal: DataPlaneResponse,
  common: CommonHeaders,
) => {
  const { "content-length": length, "transfer-encoding": coding } = request.headers
  if (coding === undefined && Number(length ?? 0) <= droppedBytes) void send(response, refusal, common)
  else refuse(response, refusal, common)
}

const answer = async (
  { dataPlane, bodies }: Serving,
  route: DataRoute,
  request: IncomingMessage,
  response: ServerResponse,
  place: Place,
  common: CommonHeaders,
) => {
  try {
    const { headers } = request
    const arrived = bodies.watch(request, response, common)
    const body = await readBody(request, dataPlane.maxRequestBytes)
    arrived()
    if (body === undefined) return
    if (body === "too large") {
      refuse(response, dataPlane.tooLarge(route, headers), common)
      return
    }
    const caller = new CallerLeft()
    response.on("close", () => {
      if (!response.writableFinished) caller.abort()
    })
    const found = await dataPlane
      .handle({ route, headers, body, place, signal: caller })
      .catch(() => undefined)
    // Only a caller that left gets no answer.
    const sent = found === undefined ? undefined : send(response, found, common)
    if (sent !== undefined) await sent
  } finally {
    place.permit.release()
  }
}

/** What answers predictions, and what watches their bodies. */
interface Serving {
  readonly dataPlane: DataPlaneHandler
  readonly bodies: SlowBodies
}

const serve = (
  serving: Serving,
  route: DataRoute,
  request: IncomingMessage,
  response: ServerResponse,
  common: CommonHeaders,
) => {
  const { dataPlane } = serving
  const refusal = dataPlane.refuseHead(request.method ?? "", route, request.headers)
  if (refusal !== undefined) {
    refuse(response, refusal, common)
    return
  }
  const place = dataPlane.reserve(route, request.headers)
  if (Result.isFailure(place)) sendAway(request, response, place.failure, common)
  else void answer(serving, route, request, response, place.success, common)
}

export const makeNodeListener = ({
  dataPlane,
  app,
  guard,
  protection = makeProtection(),
  unixSocket = false,
  patience = {},
}: NodeListenerOptions): NodeListener => {
  const bodies = new SlowBodies(patience)
  const serving: Serving = { dataPlane, bodies }

  /** A request that was admitted and counted. */
  const proceed = (
    { identity, route }: Admitted,
    request: IncomingMessage,
    response: ServerResponse,
    passage: Passage,
    common: CommonHeaders,
  ) => {
    if (route !== undefined) {
      serve(serving, route, request, response, common)
      return
    }
    const arrived = bodies.watch(request, response, common)
    request.once("end", arrived)
    response.once("close", arrived)
    for (const name in common) response.setHeader(name, common[name] ?? "")
    protection.passages.set(request, passage)
    guard.callers.set(request, identity)
    app(request, response)
  }

  return (request, response) => {
    const { method = "", url: target = "/", headers, socket } = request
    const headerCount = request.rawHeaders.length / 2
    const incoming = { method, target, headers, headerCount, peer: socket.remoteAddress, unixSocket }
    const passage = protection.receive(incoming)
    if (passage.answer !== undefined) {
      sendAway(request, response, passage.answer, passage.headers)
      return
    }
    // Where everybody looks for it.
    headers["x-request-id"] = passage.id
    const admitted = guard.admit({ ...incoming, address: passage.client.address })
    if (Result.isFailure(admitted)) {
      sendAway(request, response, admitted.failure, passage.headers)
      return
    }
    const count = (counted: Counted) => {
      if (response.destroyed) return // who left meanwhile would be waited for
      if (Result.isFailure(counted)) sendAway(request, response, counted.failure, passage.headers)
      else {
        const common =
          counted.success === undefined ? passage.headers : { ...passage.headers, ...counted.success }
        proceed(admitted.success, request, response, passage, common)
      }
    }
    const counted = guard.count(admitted.success.identity, target)
    if (counted instanceof Promise) void counted.then(count)
    else count(counted)
  }
}
