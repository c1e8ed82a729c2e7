/** A caller's limits as it is told of them: the fields of draft-ietf-httpapi-ratelimit-headers-10, and 429. */
import { RateLimitedProblem } from "@modelforge/api"
import type { Allowance, Identity, Quota, RateLimits, Standing, Taken } from "@modelforge/core"
import { Result } from "effect"
import type { DataPlaneResponse } from "../dataplane/response/response.ts"
import { refusal } from "../guard/refusals.ts"

const rateName = '"default"'
const quotaName = '"quota"'

/** Months differ, and the window may be left out. */
const quotaWindow: Readonly<Record<Quota["period"], string>> = { hour: ";w=3600", day: ";w=86400", month: "" }

const standingText = (name: string, { remaining, resetMs }: Standing) =>
  `${name};r=${remaining};t=${Math.ceil(resetMs / 1000)}`

/** `RateLimit-Policy` says what the limits are, `RateLimit` how many requests are left and when there are more. */
const rateLimitHeaders = ({ limits, rate, quota }: Allowance): Readonly<Record<string, string>> => {
  const policies: Array<string> = []
  const standings: Array<string> = []
  if (limits.rate !== null && rate !== null) {
    policies.push(`${rateName};q=${limits.rate.requests};w=${limits.rate.seconds}`)
    standings.push(standingText(rateName, rate))
  }
  if (limits.quota !== null && quota !== null) {
    policies.push(`${quotaName};q=${limits.quota.requests}${quotaWindow[limits.quota.period]}`)
    standings.push(standingText(quotaName, quota))
  }
  return { "ratelimit-policy": policies.join(", "), ratelimit: standings.join(", ") }
}

/** Headers of the answer to a caller that may go on, undefined when it has no limits; or the answer to one that may not. */
export type Counted = Result.Result<Readonly<Record<string, string>> | undefined, DataPlaneResponse>

const unlimited: Counted = Result.succeed(undefined)

export const refuseRate = (target: string, retryAfterSeconds: number, detail: string): DataPlaneResponse =>
  refusal(target, new RateLimitedProblem({ detail }), { "retry-after": String(retryAfterSeconds) })

const countedOf = (target: string, taken: Taken): Counted => {
  if (Result.isSuccess(taken))
    return taken.success === undefined ? unlimited : Result.succeed(rateLimitHeaders(taken.success))
  const { retryAfterSeconds, message, allowance } = taken.failure
  const answer = refuseRate(target, retryAfterSeconds, message)
  return Result.fail({ ...answer, headers: { ...answer.headers, ...rateLimitHeaders(allowance) } })
}

/** Counts a request of a caller that was admitted. A promise only where a store has to be asked. */
export const countRequest = (
  limits: RateLimits["Service"],
  identity: Identity,
  target: string,
): Counted | Promise<Counted> => {
  const taken = limits.take(identity)
  return taken instanceof Promise ? taken.then((later) => countedOf(target, later)) : countedOf(target, taken)
}
