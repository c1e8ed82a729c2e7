/** Calls that are carried out once, however often they come: those with the header `Idempotency-Key`. */
import * as Context from "effect/Context"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as Schema from "effect/Schema"
import {
  AnswerNotKeptProblem,
  IdempotencyKeyReusedProblem,
  OutcomeUnknownProblem,
  RequestInProgressProblem,
} from "./IdempotencyProblems.ts"
import { BadRequestProblem, UnavailableProblem } from "./Problems.ts"

export const IdempotencyKey = Schema.String.check(
  Schema.isPattern(/^[\x21-\x7e]{1,255}$/, {
    message: "an idempotency key is 1 to 255 visible characters of ASCII",
  }),
)

/** Of every call that takes the header. */
export const idempotencyHeaders = {
  /** Names this request: sent again with the same key within 24 hours, it is answered as the first time. */
  "idempotency-key": Schema.optionalKey(IdempotencyKey),
}

/** What an answer has that was given before: `true`. */
export const replayedHeader = "idempotency-replayed"

/** How a call treats a request that comes again. */
export class Repetition extends Context.Reference<{
  /**
   * Whether it may be carried out again when the server that did was lost: yes where a second time is refused or does
   * no harm.
   */
  readonly repeatable: boolean
  /** Whether the answer is kept. Never one with a secret: the same request again is refused then. */
  readonly keepsAnswer: boolean
  /** Whether the body is streamed, so that the request is told from others by the SHA-256 of its file. */
  readonly streamed: boolean
}>("@modelforge/api/Repetition", {
  defaultValue: () => ({ repeatable: false, keepsAnswer: true, streamed: false }),
}) {}

/** Keeps and repeats the answers of the endpoints that have this middleware, as their `Repetition` says. */
export class IdempotentRequests extends HttpApiMiddleware.Service<IdempotentRequests>()(
  "@modelforge/api/IdempotentRequests",
  {
    error: [
      BadRequestProblem,
      RequestInProgressProblem,
      OutcomeUnknownProblem,
      AnswerNotKeptProblem,
      IdempotencyKeyReusedProblem,
      UnavailableProblem,
    ],
  },
) {}
