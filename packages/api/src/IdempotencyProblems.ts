/** What clients see whose `Idempotency-Key` can't be answered as the first time. */
import * as HttpApiError from "effect/http-api/HttpApiError"
import { urn } from "./urn.ts"

/** The first of two requests with the same `Idempotency-Key` is still at work. */
export class RequestInProgressProblem extends HttpApiError.Problem<RequestInProgressProblem>()(
  "RequestInProgressProblem",
  { type: urn("request-in-progress"), status: 409, title: "The same request is being carried out" },
) {
  static readonly example = {
    detail:
      "The same request, with this idempotency key, is being carried out right now: ask again in a moment",
  }
}

/** The server that carried out a request with this `Idempotency-Key` was lost in the middle of it. */
export class OutcomeUnknownProblem extends HttpApiError.Problem<OutcomeUnknownProblem>()(
  "OutcomeUnknownProblem",
  { type: urn("outcome-unknown"), status: 409, title: "It is not known what came of the same request" },
) {
  static readonly example = {
    detail: "A request with this idempotency key was begun by a server that went away: look what is there",
  }
}

/** A request with this `Idempotency-Key` was carried out; its answer held a secret, or was too large to be kept. */
export class AnswerNotKeptProblem extends HttpApiError.Problem<AnswerNotKeptProblem>()(
  "AnswerNotKeptProblem",
  { type: urn("answer-not-kept"), status: 409, title: "The same request was carried out before" },
) {
  static readonly example = {
    detail: "The request with this idempotency key was carried out before, but its answer was not kept",
  }
}

export class IdempotencyKeyReusedProblem extends HttpApiError.Problem<IdempotencyKeyReusedProblem>()(
  "IdempotencyKeyReusedProblem",
  { type: urn("idempotency-key-reused"), status: 422, title: "The idempotency key is another request's" },
) {
  static readonly example = {
    detail: "The idempotency key was sent with another request before: a new request needs a new key",
  }
}
