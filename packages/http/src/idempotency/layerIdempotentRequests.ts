/**
 * Requests with an `Idempotency-Key`: the first is carried out, and what comes again is answered as it was. Around the
 * decoding and the handler of each endpoint that has the middleware.
 */
import {
  AnswerNotKeptProblem,
  BadRequestProblem,
  IdempotencyKey,
  IdempotencyKeyReusedProblem,
  IdempotentRequests,
  OutcomeUnknownProblem,
  Repetition,
  RequestInProgressProblem,
  replayedHeader,
  UnavailableProblem,
} from "@modelforge/api"
import {
  CurrentIdentity,
  type Digest,
  digestOf,
  fingerprintOf,
  Idempotency,
  type IdempotencyError,
  type Identity,
  type KeptAnswer,
  KeyReused,
  type Memory,
  type RegistryError,
} from "@modelforge/core"
import { Cause, Context, Effect, Exit, Layer, Option, Schema } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { announcedDigest, uploadBody } from "../handlers/uploadBody.ts"
import { withHeaders } from "../handlers/withHeaders.ts"
import { isProblem, type Problem, tryAgain } from "../problems.ts"
import { ReceivedContent } from "./ReceivedContent.ts"

const isKey = Schema.is(IdempotencyKey)

/** Longer answers are not kept, in UTF-16 units. */
const longestAnswer = 1024 * 1024

/** Headers beside the body that make a request another one. */
const meaningfulHeaders = ["if-match", "if-none-match", "upload-length", "upload-metadata"]

/** Refusals that come of what there is, so that the same request again would be refused too: these are kept. */
const keptRefusals: ReadonlySet<number> = new Set([404, 409, 410, 422])

/** By what never is another's: names and addresses may be given to others. */
const ownerOf = (identity: Identity): string => {
  if (identity._tag === "Key") return `key:${identity.key.id}`
  return identity._tag === "User" ? `user:${identity.user.id}` : identity._tag.toLowerCase()
}

const refuse = Effect.fnUntraced(function* ({ reason }: IdempotencyError) {
  const detail = reason.message
  switch (reason._tag) {
    case "KeyReused":
      return yield* new IdempotencyKeyReusedProblem({ detail })
    case "RequestRunning":
      yield* withHeaders({ "retry-after": "1" })
      return yield* new RequestInProgressProblem({ detail })
    case "OutcomeUnknown":
      return yield* new OutcomeUnknownProblem({ detail })
    case "AnswerNotKept":
      return yield* new AnswerNotKeptProblem({ detail })
  }
})

const unavailable = Effect.fnUntraced(function* ({ reason }: RegistryError) {
  yield* Effect.logError(reason.message, "cause" in reason ? reason.cause : reason)
  return yield* new UnavailableProblem({ detail: tryAgain })
})

const problemAnswer = (problem: Problem): KeptAnswer => ({
  status: problem.status,
  headers: { "content-type": "application/problem+json" },
  body: JSON.stringify(problem),
})

const decoder = new TextDecoder()

/** Null when it is too long, or not text at all. */
const successAnswer = ({
  status,
  headers,
  body,
}: HttpServerResponse.HttpServerResponse): KeptAnswer | null => {
  if (body._tag !== "Uint8Array" && body._tag !== "Empty") return null
  const text = body._tag === "Empty" ? "" : decoder.decode(body.body)
  if (text.length > longestAnswer) return null
  const { "content-length": _, ...kept } = headers
  return {
    status,
    headers: body._tag === "Empty" ? kept : { ...kept, "content-type": body.contentType },
    body: text,
  }
}

const replay = ({ status, headers, body }: KeptAnswer) => {
  const all = { ...headers, [replayedHeader]: "true" }
  return body === ""
    ? HttpServerResponse.empty({ status, headers: all })
    : HttpServerResponse.text(body, { status, headers: all, contentType: headers["content-type"] ?? "" })
}

export const layerIdempotentRequests = Layer.effect(
  IdempotentRequests,
  Effect.gen(function* () {
    const idempotency = yield* Idempotency

    /** Where a file came without its digest it has to be read, for a key is good for one file only. */
    const checkContent = Effect.fnUntraced(function* (
      request: HttpServerRequest.HttpServerRequest,
      known: string,
    ) {
      const content = yield* Effect.flatMap(uploadBody(request), digestOf).pipe(
        Effect.catch(() => Effect.succeed(undefined)),
      )
      if (content === undefined)
        return yield* new BadRequestProblem({
          detail: "The file could not be read to its end: send it again",
        })
      if (content !== known)
        return yield* new IdempotencyKeyReusedProblem({ detail: new KeyReused().message })
    })

    return IdempotentRequests.of((httpEffect, { endpoint }) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const key = request.headers["idempotency-key"]
        if (key === undefined) return yield* httpEffect
        if (!isKey(key))
          return yield* new BadRequestProblem({
            detail: "Idempotency-Key can't be read: send 1 to 255 visible characters of ASCII",
            errors: [{ path: "headers.idempotency-key", message: "expected 1 to 255 visible characters" }],
          })
        const { repeatable, keepsAnswer, streamed } = Context.get(endpoint.annotations, Repetition)
        const announced = streamed ? yield* announcedDigest(request.headers["content-digest"]) : undefined
        // A body that can't be read is answered as without a key.
        const body = streamed ? "" : yield* Effect.orDie(request.text)
        let content: Digest | null = announced ?? null

        const remember = (
          exit: Exit.Exit<HttpServerResponse.HttpServerResponse, unknown>,
        ): Memory | undefined => {
          if (Exit.isSuccess(exit)) {
            const { status } = exit.value
            if (status < 200 || status >= 300) return undefined
            return { answer: keepsAnswer ? successAnswer(exit.value) : null, content }
          }
          const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
          // Of a refused file nobody knows what it was, unless that was said.
          const isKept = isProblem(error) && keptRefusals.has(error.status) && (!streamed || content !== null)
          return isKept ? { answer: problemAnswer(error), content } : undefined
        }

        const outcome = yield* idempotency
          .once(
            {
              owner: ownerOf(yield* CurrentIdentity),
              key,
              fingerprint: fingerprintOf(
                request.method,
                request.url,
                body,
                ...meaningfulHeaders.map((name) => request.headers[name] ?? ""),
              ),
              content,
              repeatable,
              interruptible: streamed,
            },
            Effect.provideService(httpEffect, ReceivedContent, (digest) => {
              content = digest
            }),
            remember,
          )
          .pipe(Effect.catchTags({ IdempotencyError: refuse, RegistryError: unavailable }))
        if (outcome._tag === "Done") return outcome.value
        if (outcome.content !== null && content === null) yield* checkContent(request, outcome.content)
        return replay(outcome.answer)
      }),
    )
  }),
)
