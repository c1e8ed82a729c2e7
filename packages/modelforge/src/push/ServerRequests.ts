/** Requests of a push, and what their failures mean: ask again, or tell whoever typed the command. */
import { Clock, Duration, Effect, Option, Schema, Stream } from "effect"
import { HttpClient, type HttpClientError, HttpClientRequest } from "effect/http"
import { CommandFailed } from "../command/CommandFailed.ts"
import { lostConnection, noAnswer, strangeAnswer } from "../command/ServerAddress.ts"

/** It may go on when the server is asked again. */
export class TryAgain extends Schema.TaggedError<TryAgain>()("TryAgain", {
  detail: Schema.String,
  /** When the server said to come back. */
  afterMs: Schema.optionalKey(Schema.Finite),
  /** A server is there, and said so; else it could not be reached. */
  answered: Schema.Boolean,
}) {
  override get message() {
    return this.detail
  }
}

/** The server said no, and why. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  status: Schema.Int,
  /** The problem's name; empty when it is no problem of ModelForge's. */
  name: Schema.String,
  detail: Schema.String,
}) {
  override get message() {
    return this.detail
  }
}

/** By which scripts tell that the bytes are a version already. */
const duplicateExitCode = 3

/** For a refusal that ends the command. */
export const failed = ({ name, detail }: Refused) =>
  Effect.fail(
    // The server says it in HTTP's words.
    new CommandFailed({
      detail: detail.replace(/\bforce=true$/, "--force"),
      ...(name === "duplicate-version" ? { exitCode: duplicateExitCode } : {}),
    }),
  )

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly json: unknown
}

const Problem = Schema.Struct({
  type: Schema.String,
  title: Schema.String,
  detail: Schema.optionalKey(Schema.String),
})
const decodeProblem = Schema.decodeUnknownOption(Problem)

/** What comes of load, restarts, and proxies that lost their server. */
const temporary: ReadonlySet<number> = new Set([408, 423, 425, 429, 502, 503, 504])

/** What comes of answers that were lost: another look shows what the server has. */
const outdated: ReadonlySet<string> = new Set(["offset-mismatch", "request-in-progress"])

/** Seconds, or a date, by RFC 9110. */
export const retryAfterMs = (header: string | undefined, now: number): number | undefined => {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A connection may die without a sign: nothing is sent, or comes, for so long. A slow one has buffers to empty. */
const silence = Duration.minutes(2)

/** A server that tries a large file has nothing to say meanwhile. */
const trialSilence = Duration.minutes(10)

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly body?: {
    readonly bytes: Stream.Stream<Uint8Array, CommandFailed>
    readonly length: number
    readonly type: string
  }
  /** The answer may be long in coming, as it is when a file is tried. */
  readonly tries?: boolean
}

/** `begun`: something of the request was sent. */
const lost = (url: string, error: HttpClientError.HttpClientError, begun: boolean) => {
  const { reason } = error
  // What the file's own stream failed with.
  if (reason._tag === "EncodeError" && reason.cause instanceof CommandFailed) return reason.cause
  const answered = begun || reason._tag === "DecodeError"
  return new TryAgain({ detail: answered ? lostConnection(error) : noAnswer(url, error), answered })
}

/** Fails when no byte moved for as long as a living connection would not need. */
const whileMoving = <A, E, R>(
  request: Effect.Effect<A, E, R>,
  moved: () => number,
  patience: Duration.Duration,
) =>
  Effect.raceFirst(
    request,
    Effect.gen(function* () {
      for (let before = -1; moved() !== before; ) {
        before = moved()
        yield* Effect.sleep(patience)
      }
      return yield* new TryAgain({ detail: "The connection is silent", answered: true })
    }),
  )

/** Asks the server; `url` is how it is called in messages. Fails unless the answer is a success. */
export const makeAsk = (url: string) =>
  Effect.fnUntraced(function* (
    method: "GET" | "POST" | "PATCH" | "PUT",
    path: string,
    { headers = {}, json, body, tries = false }: RequestOptions = {},
  ) {
    const client = yield* HttpClient.HttpClient
    let moved = 0
    const bare = HttpClientRequest.make(method)(path, { headers })
    const filled =
      body === undefined
        ? bare
        : HttpClientRequest.bodyStream(
            bare,
            Stream.tap(body.bytes, () => Effect.sync(() => moved++)),
            { contentType: body.type, contentLength: body.length },
          )
    const request = json === undefined ? filled : HttpClientRequest.bodyJsonUnsafe(filled, json)
    const answer = yield* client.execute(request).pipe(
      Effect.flatMap((response) =>
        Effect.map(
          response.text,
          (text): Answer => ({ status: response.status, headers: response.headers, json: parsed(text) }),
        ),
      ),
      Effect.mapError((error) => lost(url, error, moved > 0)),
      (asked) => whileMoving(asked, () => moved, tries ? trialSilence : silence),
    )
    if (answer.status >= 200 && answer.status < 300) return answer
    const { name, detail } = Option.match(decodeProblem(answer.json), {
      onNone: () => ({ name: "", detail: strangeAnswer(url, answer.status) }),
      onSome: ({ type, title, detail }) => ({
        name: /^urn:modelforge:problem:(.+)$/.exec(type)?.[1] ?? "",
        detail: detail ?? title,
      }),
    })
    if (!temporary.has(answer.status) && !outdated.has(name))
      return yield* new Refused({ status: answer.status, name, detail })
    const afterMs = retryAfterMs(answer.headers["retry-after"], yield* Clock.currentTimeMillis)
    return yield* new TryAgain({ detail, answered: true, ...(afterMs === undefined ? {} : { afterMs }) })
  })

export type Ask = ReturnType<typeof makeAsk>

/** An answer's body, as this version of ModelForge knows it. */
export const bodyOf =
  <S extends Schema.ConstraintDecoder<unknown>>(schema: S) =>
  ({ json }: Answer) =>
    Effect.mapError(
      Schema.decodeUnknownEffect(schema)(json),
      () =>
        new CommandFailed({
          detail: "The server's answer can't be read: it is no ModelForge server, or of another version",
        }),
    )
