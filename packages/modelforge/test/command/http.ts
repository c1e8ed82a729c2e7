/** A plain HTTP client for tests: every request on a connection of its own unless an agent keeps them. */
import { type Agent, type IncomingHttpHeaders, request as nodeRequest } from "node:http"
import { Readable } from "node:stream"
import { Effect, Schema } from "effect"

export type Target = { readonly port: number } | { readonly socketPath: string }

export interface Sent {
  readonly headers?: Readonly<Record<string, string | number>>
  /** A value is sent as JSON, a stream in chunks. */
  readonly json?: unknown
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>
  readonly agent?: Agent
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown
}

const asJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const bodyOf = ({ json, body }: Sent): { readonly type?: string; readonly bytes: Readable | Uint8Array } => {
  if (json !== undefined) return { type: "application/json", bytes: Buffer.from(JSON.stringify(json)) }
  if (body === undefined) return { bytes: new Uint8Array() }
  return {
    type: "application/octet-stream",
    bytes: body instanceof Uint8Array ? body : Readable.from(body),
  }
}

/** Fails when no answer comes. A server may answer before it has read the body; then the rest is not sent. */
export const send = (target: Target, method: string, path: string, sent: Sent = {}) =>
  Effect.callback<Answer, Error>((resume) => {
    const { type, bytes } = bodyOf(sent)
    let answered = false
    const request = nodeRequest({
      ...("port" in target ? { host: "127.0.0.1" } : {}),
      ...target,
      method,
      path,
      agent: sent.agent ?? false,
      headers: {
        ...(type === undefined ? {} : { "content-type": type }),
        ...(bytes instanceof Readable ? {} : { "content-length": bytes.length }),
        ...sent.headers,
      },
    })
    request.on("response", (response) => {
      answered = true
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", (error) => resume(Effect.fail(error)))
      response.on("end", () => {
        const whole = Buffer.concat(chunks)
        resume(
          Effect.succeed({
            status: response.statusCode ?? 0,
            headers: response.headers,
            bytes: whole,
            json: asJson(whole.toString()),
          }),
        )
        if (bytes instanceof Readable) bytes.destroy()
      })
    })
    request.on("error", (error) => {
      if (!answered) resume(Effect.fail(error))
    })
    if (bytes instanceof Readable) {
      bytes.on("error", () => request.destroy())
      bytes.pipe(request)
    } else request.end(bytes)
    return Effect.sync(() => request.destroy())
  })

export const get = (target: Target, path: string) => send(target, "GET", path)

const Prediction = Schema.Struct({
  model: Schema.String,
  version: Schema.Int,
  outputs: Schema.Record(Schema.String, Schema.Unknown),
})

/** A prediction with nested arrays that must succeed. */
export const predict = (target: Target, model: string, inputs: unknown, options: Omit<Sent, "json"> = {}) =>
  send(target, "POST", `/v1/models/${model}/predict`, { ...options, json: { inputs } }).pipe(
    Effect.filterOrFail(
      ({ status }) => status === 200,
      ({ status, bytes }) => new Error(`${status}: ${bytes.toString()}`),
    ),
    Effect.flatMap(({ json }) => Schema.decodeUnknownEffect(Prediction)(json)),
  )

/** Uploads a file as a version of `model`, which is made when there is none. */
export const upload = (
  target: Target,
  model: string,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  headers: Readonly<Record<string, string | number>> = {},
) => send(target, "POST", `/v1/models/${model}/versions?create=true`, { body, headers })
