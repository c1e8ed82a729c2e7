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
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Headers of every answer to it. */
  readonly common: Readonly<Record<string, string>>
  /** When the stretch began; undefined until it is looked at for the first time: most bodies are here before that. */
  since: number | undefined
  /** How much had come by then. */
  bytesThen: number
}

const isUpload = (target: string) => /^\/v1\/models\/[^/?]+\/(?:versions|uploads)(?:[/?]|$)/.test(target)

/** Whether the request says that it has a body. */
const hasBody = ({ headers }: IncomingMessage) =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0

const statusLine = "HTTP/1.1 408 Request Timeout"

/** Written past Node's response: to whoever handles the request it is the same as a client that leaves. */
const timeOut = ({ request, response, common }: Watched) => {
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
  readonly #watched = new Set<Watched>()
  #timer: NodeJS.Timeout | undefined

  constructor({ periodMs = 30_000, uploadPeriodMs = 60_000, bytes = 16 * 1024 }: BodyPatience) {
    this.#patience = { periodMs, uploadPeriodMs, bytes }
  }

  /**
   * Watches a request until what it gives is called, which is to be when its body is here or it is answered. `common` is
   * what every answer to it has.
   */
  watch(
    request: IncomingMessage,
    response: ServerResponse,
    common: Readonly<Record<string, string>>,
  ): () => void {
    if (!hasBody(request) || request.complete) return nothing
    const watched: Watched = { request, response, common, since: undefined, bytesThen: 0 }
    this.#watched.add(watched)
    const { periodMs } = this.#patience
    this.#timer ??= setInterval(() => this.#look(), Math.min(1000, periodMs / 4)).unref()
    return () => this.#watched.delete(watched)
  }

  #look(): void {
    const now = performance.now()
    for (const watched of this.#watched) {
      const { request, since, bytesThen } = watched
      const { socket, complete, readableLength } = request
      if (complete) this.#watched.delete(watched)
      else if (since === undefined) {
        watched.since = now
        watched.bytesThen = socket.bytesRead
      } else if (now - since >= this.#periodMs(request)) {
        watched.since = now
        watched.bytesThen = socket.bytesRead
        if (socket.bytesRead - bytesThen >= this.#patience.bytes || readableLength > 0) continue
        this.#watched.delete(watched)
        timeOut(watched)
      }
    }
    if (this.#watched.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #periodMs({ url = "/" }: IncomingMessage): number {
    return isUpload(url) ? this.#patience.uploadPeriodMs : this.#patience.periodMs
  }
}

const nothing = () => {}
