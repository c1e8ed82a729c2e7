/** What clients see whose requests are too many, too slow, or too large in their heads. */
import * as HttpApiError from "effect/http-api/HttpApiError"
import { urn } from "./urn.ts"

/** The caller has made as many requests as its limits allow; `Retry-After` says when the next may be made. */
export class RateLimitedProblem extends HttpApiError.Problem<RateLimitedProblem>()("RateLimitedProblem", {
  type: urn("rate-limited"),
  status: 429,
  title: "Too many requests",
}) {
  static readonly example = {
    detail: "The caller is over its limit of 100 requests in 60 seconds: try again in 12 seconds",
  }
}

/** The body came too slowly, or not at all. */
export class RequestTimeoutProblem extends HttpApiError.Problem<RequestTimeoutProblem>()(
  "RequestTimeoutProblem",
  { type: urn("request-timeout"), status: 408, title: "The request took too long to arrive" },
) {
  static readonly example = { detail: "The body came too slowly, or did not go on" }
}

export class UriTooLongProblem extends HttpApiError.Problem<UriTooLongProblem>()("UriTooLongProblem", {
  type: urn("uri-too-long"),
  status: 414,
  title: "The path and query are too long",
}) {
  static readonly example = {
    detail: "The path and query have 9000 characters, more than the 8192 that are taken",
  }
}

export class MisdirectedProblem extends HttpApiError.Problem<MisdirectedProblem>()("MisdirectedProblem", {
  type: urn("misdirected"),
  status: 421,
  title: "The request is for another server",
}) {
  static readonly example = { detail: "This server does not answer to the name in the Host header" }
}

export class HeadersTooLargeProblem extends HttpApiError.Problem<HeadersTooLargeProblem>()(
  "HeadersTooLargeProblem",
  { type: urn("headers-too-large"), status: 431, title: "The request's headers are too large" },
) {
  static readonly example = { detail: "The request has more than the 100 headers that are taken" }
}
