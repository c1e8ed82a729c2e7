/** What comes of asking for a request: where the limits stand after it, or that there is none left. */
import { Data } from "effect"
import type { Quota, RateLimit } from "../model/ApiKey.ts"
import type { Limits, Standing } from "./RateLimitStore.ts"

/** The limits of a caller, and where they stand. */
export interface Allowance {
  readonly limits: Limits
  readonly rate: Standing | null
  readonly quota: Standing | null
}

const describe = (rate: RateLimit | null, quota: Quota | null): string => {
  if (rate === null)
    return quota === null ? "its limit" : `its quota of ${quota.requests} requests a ${quota.period}`
  const time = rate.seconds === 1 ? "a second" : `${rate.seconds} seconds`
  return `its limit of ${rate.requests} requests in ${time}`
}

/** The caller has made as many requests as it may. */
export class RateLimited extends Data.TaggedError("RateLimited")<{ readonly allowance: Allowance }> {
  /** When another request may be made, at least 1. */
  get retryAfterSeconds(): number {
    const { rate, quota } = this.allowance
    const waits = [rate, quota].map((standing) => (standing?.remaining === 0 ? standing.resetMs : 0))
    return Math.max(1, Math.ceil(Math.max(...waits) / 1000))
  }

  override get message() {
    const { limits, quota } = this.allowance
    const what = quota?.remaining === 0 ? describe(null, limits.quota) : describe(limits.rate, null)
    return `The caller is over ${what}: try again in ${this.retryAfterSeconds} seconds`
  }
}
