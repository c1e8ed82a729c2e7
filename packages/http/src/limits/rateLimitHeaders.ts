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

const writePolicy = ({ rate, quota }: Allowance["limits"]): string => {
  const policies: Array<string> = []
  if (rate !== null) policies.push(`${rateName};q=${rate.requests};w=${rate.seconds}`)
  if (quota !== null) policies.push(`${quotaName};q=${quota.requests}${quotaWindow[quota.period]}`)
  return policies.join(", ")
}

/** A caller's limits are the same object from request to request. */
const policies = new WeakMap<Allowance["limits"], string>()

const policyOf = (limits: Allowance["limits"]): string => {
  const known = policies.get(limits)
  if (known !== undefined) return known
  const policy = writePolicy(limits)
  policies.set(limits, policy)
  return policy
}

/** `RateLimit-Policy` says what the limits are, `RateLimit` how many requests are left and when there are more. */
const rateLimitHeaders = ({ limits, rate, quota }: Allowance): Readonly<Record<string, string>> => {
  const byRate = rate === null ? "" : standingText(rateName, rate)
  const byQuota = quota === null ? "" : standingText(quotaName, quota)
  return {
    "ratelimit-policy": policyOf(limits),
    ratelimit: byRate !== "" && byQuota !== "" ? `${byRate}, ${byQuota}` : byRate + byQuota,
  }
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
