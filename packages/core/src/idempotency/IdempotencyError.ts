/** Why a request that came with a key is not carried out. */
import { Schema } from "effect"

export class KeyReused extends Schema.TaggedError<KeyReused>()("KeyReused", {}) {
  override get message() {
    return "The idempotency key was sent with another request before: a new request needs a new key"
  }
}

export class RequestRunning extends Schema.TaggedError<RequestRunning>()("RequestRunning", {}) {
  override get message() {
    return "The same request, with this idempotency key, is being carried out right now: ask again in a moment"
  }
}

/** The server that carried it out was lost before it could say what came of it. */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()("OutcomeUnknown", {}) {
  override get message() {
    return "A request with this idempotency key was begun by a server that went away, so it may or may not have been carried out: look what is there, and use a new key"
  }
}

export class AnswerNotKept extends Schema.TaggedError<AnswerNotKept>()("AnswerNotKept", {}) {
  override get message() {
    return "The request with this idempotency key was carried out before, but its answer held a secret or was too large, and was not kept: look what is there, and use a new key"
  }
}

export class IdempotencyError extends Schema.TaggedError<IdempotencyError>()("IdempotencyError", {
  reason: Schema.Union([KeyReused, RequestRunning, OutcomeUnknown, AnswerNotKept]),
}) {
  override get message() {
    return this.reason.message
  }
}
