/** The server's own handlers behind the client of a push, with faults between them where a test wants some. */
import { Effect, Layer, Stream } from "effect"
import { HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import { type Mount, mountWeb } from "../../../http/test/Mount.ts"

/** As Node says it of a connection that broke. */
const broken = (request: HttpClientRequest.HttpClientRequest) =>
  Effect.fail(
    new HttpClientError.HttpClientError({
      reason: new HttpClientError.TransportError({ request, cause: new Error("read ECONNRESET") }),
    }),
  )

interface Exchange {
  readonly request: HttpClientRequest.HttpClientRequest
  /** Such as `PATCH /v1/models/wine/uploads/…`. */
  readonly line: string
  /** What was sent. */
  readonly body: Uint8Array<ArrayBuffer>
  /** Lets the handlers answer; with a number only so many bytes arrive, then the connection breaks. */
  readonly pass: (bytes?: number) => Effect.Effect<HttpClientResponse.HttpClientResponse>
}

type Between = (
  exchange: Exchange,
) => Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

/** Some bytes, and then an error: what handlers see of a connection that broke. */
const cutBody = (bytes: Uint8Array) => {
  const parts = [bytes]
  return new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const part = parts.pop()
      if (part === undefined) controller.error(new Error("aborted"))
      else controller.enqueue(part)
    },
  })
}

const bodyOf = ({ body }: HttpClientRequest.HttpClientRequest) => {
  if (body._tag === "Stream")
    return Effect.map(Stream.runCollect(body.stream), (chunks) => Buffer.concat(chunks))
  return Effect.succeed(body._tag === "Uint8Array" ? Buffer.from(body.body) : Buffer.alloc(0))
}

const clientOf = (mount: Pick<Mount, "fetch">, between: Between, lines: Array<string>) =>
  HttpClient.make((request, url) =>
    Effect.gen(function* () {
      const path = url.pathname + url.search
      const line = `${request.method} ${url.pathname}`
      lines.push(line)
      const body = yield* Effect.mapError(
        bodyOf(request),
        (cause) =>
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.EncodeError({ request, cause }),
          }),
      )
      const has = request.method !== "GET"
      const { "content-length": _, ...headers } = request.headers
      const pass: Exchange["pass"] = (bytes) =>
        Effect.map(
          Effect.promise(() =>
            mount.fetch(path, {
              method: request.method,
              headers,
              ...(has
                ? {
                    body: bytes === undefined ? body : cutBody(body.subarray(0, bytes)),
                    ...(bytes === undefined ? {} : { duplex: "half" as const }),
                  }
                : {}),
            }),
          ),
          (response) => HttpClientResponse.fromWeb(request, response),
        )
      return yield* between({ request, line, body, pass })
    }),
  )

/** Requests go as they are unless `between` is told otherwise. */
export const mountServer = Effect.gen(function* () {
  const mount = yield* mountWeb()
  const lines: Array<string> = []
  const faults: Array<Between> = []
  const client = clientOf(
    mount,
    (exchange) => Effect.suspend(() => (faults.shift() ?? (({ pass }) => pass()))(exchange)),
    lines,
  )
  return {
    ...mount,
    /** What was asked. */
    lines,
    /** One for each request that comes next. */
    faults,
    layer: Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.mapRequest(client, HttpClientRequest.prependUrl("http://localhost")),
    ),
  }
})

export const passing: Between = ({ pass }) => pass()

/** The request arrives, and its answer does not. */
export const answerLost: Between = ({ request, pass }) => Effect.andThen(pass(), broken(request))

/** So many bytes of the request arrive. */
export const cutAfter =
  (bytes: number): Between =>
  ({ request, pass }) =>
    Effect.andThen(pass(bytes), broken(request))

export const unreachable: Between = ({ request }) => broken(request)

/** Somebody else answers. */
export const answering =
  (status: number, body = "", headers: Record<string, string> = {}): Between =>
  ({ request }) =>
    Effect.succeed(
      HttpClientResponse.fromWeb(request, new Response(body === "" ? null : body, { status, headers })),
    )
