/**
 * Ends requests whose bodies come too slowly: each holds a connection, and a place among the requests under way. Only the
 * client's slowness counts: while bytes wait to be read here, it is not the client who is slow.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { RequestTimeoutProblem } from "@modelforge/api"
import { refusal } from "../guard/refusals.ts"

export interface BodyPatience {
  /** In each such stretch of milliseconds a body has to bring `bytes`, or end. Default: 30 seconds. */
  readonly periodMs?: number
  /** The same for model files. Default: 60 seconds. */
  readonly uploadPeriodMs?: number
  /** Default: 16 KiB. */
  readonly bytes?: number
}

interface Watched {
  readonly periodMs: number
  /** When the stretch began, and how much had come by then. */
  since: number
  bytesThen: number
  readonly end: () => void
}

const isUpload = (target: string) => /^\/v1\/models\/[^/?]+\/(?:versions|uploads)(?:[/?]|$)/.test(target)

/** Whether the request says that it has a body. */
const hasBody = ({ headers }: IncomingMessage) =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0

const statusLine = "HTTP/1.1 408 Request Timeout"

/** Written past Node's response: to whoever handles the request it is the same as a client that leaves. */
const timeOut = (
  request: IncomingMessage,
  response: ServerResponse,
  common: Readonly<Record<string, string>>,
) => {
  const { socket } = request
  // An answer that has begun can't become another.
  if (response.headersSent || !socket.writable) {
    socket.destroy()
    return
  }
  const { headers, body } = refusal(
    request.url ?? "/",
    new RequestTimeoutProblem({ detail: "The body came too slowly, or did not go on" }),
  )
  const all = {
    ...common,
    ...headers,
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`${statusLine}\r\n${lines.join("")}\r\n${body}`)
  socket.destroySoon()
}

export class SlowBodies {
  readonly #patience: Required<BodyPatience>
  readonly #watched = new Map<IncomingMessage, Watched>()
  #timer: NodeJS.Timeout | undefined

  constructor({ periodMs = 30_000, uploadPeriodMs = 60_000, bytes = 16 * 1024 }: BodyPatience) {
    this.#patience = { periodMs, uploadPeriodMs, bytes }
  }

  /** Until its body is here, or it is answered. `common` is what every answer to it has. */
  watch(request: IncomingMessage, response: ServerResponse, common: Readonly<Record<string, string>>): void {
    if (!hasBody(request) || request.complete) return
    const { periodMs, uploadPeriodMs } = this.#patience
    this.#watched.set(request, {
      periodMs: isUpload(request.url ?? "") ? uploadPeriodMs : periodMs,
      since: performance.now(),
      bytesThen: request.socket.bytesRead,
      end: () => timeOut(request, response, common),
    })
    const forget = () => this.#watched.delete(request)
    request.once("end", forget)
    response.once("close", forget)
    this.#timer ??= setInterval(() => this.#look(), Math.min(1000, periodMs / 4)).unref()
  }

  #look(): void {
    const now = performance.now()
    for (const [request, watched] of this.#watched) {
      const { socket, complete, readableLength } = request
      if (complete) this.#watched.delete(request)
      else if (now - watched.since >= watched.periodMs) {
        const brought = socket.bytesRead - watched.bytesThen
        watched.since = now
        watched.bytesThen = socket.bytesRead
        if (brought >= this.#patience.bytes || readableLength > 0) continue
        this.#watched.delete(request)
        watched.end()
      }
    }
    if (this.#watched.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
