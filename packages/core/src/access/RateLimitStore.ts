/** The storage contract of rate limits that several servers share: counters, and nothing of who they are for. */
import { Context, type Effect } from "effect"
import type { Quota, RateLimit } from "../model/ApiKey.ts"
import type { SharedStoreUnavailable } from "./SharedStoreUnavailable.ts"

export interface Limits {
  readonly rate: RateLimit | null
  readonly quota: Quota | null
}

/** Requests that were granted and not made. */
export interface Unused {
  readonly requests: number
  /** Of the grant. */
  readonly stamp: number
}

export interface RateLimitAsk {
  /** Whose requests are counted together. A short text of ASCII. */
  readonly subject: string
  readonly limits: Limits
  /** Requests, 0 or more. */
  readonly wanted: number
  /** To be given back, where it still counts. */
  readonly unused: Unused | undefined
}

/** Where a limit stands. */
export interface Standing {
  /** Requests that may still be made. */
  readonly remaining: number
  /** Milliseconds until more may be made; 0 when all may. */
  readonly resetMs: number
}

export interface RateLimitGrant {
  /** Requests, up to what was wanted: they are counted now, in both limits. */
  readonly granted: number
  /** The store's time, for giving back what is not used. */
  readonly stamp: number
  /** After it. Null where there is no such limit. */
  readonly rate: Standing | null
  readonly quota: Standing | null
}

export class RateLimitStore extends Context.Service<
  RateLimitStore,
  {
    /**
     * Grants as many of the wanted requests as both limits leave. Atomic: whoever asks at once, in no stretch of the
     * window's length and the leeway more is granted than the limit, and in no period more than the quota.
     */
    readonly take: (ask: RateLimitAsk) => Effect.Effect<RateLimitGrant, SharedStoreUnavailable>
  }
>()("@modelforge/core/access/RateLimitStore") {}

/** How long a grant may be kept before its requests are made, in milliseconds: a 64th of the window, at most a second. */
export const leewayMs = ({ rate }: Limits): number =>
  rate === null ? 1000 : Math.min(1000, (rate.seconds * 1000) / 64)
