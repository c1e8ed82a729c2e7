/**
 * The limits of one caller, counted by a store that servers share. A server takes requests from the store in leases, of as
 * many as are likely to be made within the store's leeway, so that a round trip stands in few requests of a caller with
 * a large limit; a small limit is given out one by one. Requests that come while the store is asked are asked for together
 * the next time. What this server let through is counted here as well: it holds whatever the store says, and is all that
 * holds while the store does not answer. Plain code: requests pass here.
 */
import type { CircuitBreaker } from "./CircuitBreaker.ts"
import type { LimitClock, LimitCounter } from "./LimitCounter.ts"
import type { Allowance } from "./RateLimited.ts"
import {
  type Limits,
  leewayMs,
  type RateLimitAsk,
  type RateLimitGrant,
  type Standing,
} from "./RateLimitStore.ts"

/** Asks the store, and tells the breaker; rejects when it does not answer. */
export type AskStore = (ask: RateLimitAsk) => Promise<RateLimitGrant>

export interface Decision {
  readonly isAllowed: boolean
  readonly allowance: Allowance
}

interface Lease extends RateLimitGrant {
  left: number
  /** When the request that it came for was sent, and until when its requests may be made. */
  readonly since: number
  readonly until: number
}

/** So much of what is left of a limit may lie with one server unused, and in requests. */
const largestShare = 1 / 100
const largestLease = 1000

/** What was refused is asked again after so long at most: another server may have given back. In milliseconds. */
const longestRefusalMs = 1000

const passed = (standing: Standing | null, left: number, ms: number): Standing | null =>
  standing === null
    ? null
    : { remaining: standing.remaining + left, resetMs: Math.max(0, standing.resetMs - ms) }

export class SharedLimits {
  readonly #subject: string
  readonly #limits: Limits
  readonly #counter: LimitCounter
  readonly #clock: LimitClock
  readonly #ask: AskStore
  readonly #breaker: CircuitBreaker
  readonly #waiting: Array<(decision: Decision) => void> = []
  #lease: Lease | undefined
  #isAsking = false
  /** How many requests to take beyond those that wait. */
  #extra = 0
  #refusedUntil = 0

  constructor(
    { subject, limits }: Pick<RateLimitAsk, "subject" | "limits">,
    counter: LimitCounter,
    clock: LimitClock,
    ask: AskStore,
    breaker: CircuitBreaker,
  ) {
    this.#subject = subject
    this.#limits = limits
    this.#counter = counter
    this.#clock = clock
    this.#ask = ask
    this.#breaker = breaker
  }

  /** One request. A promise only where the store has to be asked. Never rejects. */
  take(): Decision | Promise<Decision> {
    if (this.#counter.remaining(this.#limits) < 1) return this.#alone()
    if (this.#isAsking) return this.#wait()
    const now = this.#clock.elapsed()
    const lease = this.#lease
    if (lease !== undefined && lease.left > 0 && now < lease.until) return this.#use(lease)
    if (lease !== undefined && now < this.#refusedUntil) return this.#refuse(lease)
    if (!this.#breaker.admits) return this.#alone()
    const decision = this.#wait()
    this.#send()
    return decision
  }

  /** Gives back what is not used, when nobody takes any more. */
  async close(): Promise<void> {
    const unused = this.#isAsking ? undefined : this.#unused()
    if (unused === undefined) return
    await this.#ask({ subject: this.#subject, limits: this.#limits, wanted: 0, unused }).catch(() => {})
  }

  get isIdle(): boolean {
    return !this.#isAsking && this.#counter.isIdle
  }

  #wait(): Promise<Decision> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  /** Takes what is left of the lease. */
  #unused() {
    const lease = this.#lease
    if (lease === undefined || lease.left === 0) return undefined
    const unused = { requests: lease.left, stamp: lease.stamp }
    lease.left = 0
    return unused
  }

  /** More where the last lease was used up in its time, less where it was not. */
  #nextExtra(unused: number): number {
    const lease = this.#lease
    if (lease === undefined) return 0
    if (unused > 0) return Math.floor(this.#extra / 2)
    const isQuick = this.#clock.elapsed() < lease.until
    const left = Math.min(
      lease.rate?.remaining ?? Number.POSITIVE_INFINITY,
      lease.quota?.remaining ?? Number.POSITIVE_INFINITY,
    )
    const most = Math.min(largestLease, Math.floor(left * largestShare))
    return Math.min(most, isQuick ? Math.max(1, 2 * this.#extra) : this.#extra)
  }

  #send(): void {
    const unused = this.#unused()
    this.#extra = this.#nextExtra(unused?.requests ?? 0)
    const wanted = this.#waiting.length + this.#extra
    const since = this.#clock.elapsed()
    this.#isAsking = true
    this.#ask({ subject: this.#subject, limits: this.#limits, wanted, unused }).then(
      (grant) => {
        this.#isAsking = false
        this.#received(
          { ...grant, left: grant.granted, since, until: since + leewayMs(this.#limits) },
          wanted,
        )
      },
      () => {
        this.#isAsking = false
        for (const resolve of this.#waiting.splice(0)) resolve(this.#alone())
      },
    )
  }

  #received(lease: Lease, wanted: number): void {
    this.#lease = lease
    while (lease.left > 0) {
      const resolve = this.#waiting.shift()
      if (resolve === undefined) return
      resolve(this.#counter.remaining(this.#limits) < 1 ? this.#alone() : this.#use(lease))
    }
    if (lease.granted === wanted) {
      if (this.#waiting.length > 0) this.#send()
      return
    }
    const resets = [lease.rate, lease.quota].map((one) => (one?.remaining === 0 ? one.resetMs : 0))
    this.#refusedUntil = this.#clock.elapsed() + Math.min(longestRefusalMs, Math.max(...resets))
    for (const resolve of this.#waiting.splice(0)) resolve(this.#refuse(lease))
  }

  #use(lease: Lease): Decision {
    lease.left--
    this.#counter.add(this.#limits, 1)
    return { isAllowed: true, allowance: this.#allowance(lease) }
  }

  #refuse(lease: Lease): Decision {
    return { isAllowed: false, allowance: this.#allowance(lease) }
  }

  #allowance({ rate, quota, left, since }: Lease): Allowance {
    const ms = this.#clock.elapsed() - since
    return { limits: this.#limits, rate: passed(rate, left, ms), quota: passed(quota, left, ms) }
  }

  /** By what is counted here. */
  #alone(): Decision {
    return decideAlone(this.#counter, this.#limits)
  }
}

/** One request, by what is counted in this process. */
export const decideAlone = (counter: LimitCounter, limits: Limits): Decision => {
  const { now } = counter
  const isAllowed = counter.remaining(limits, now) >= 1
  if (isAllowed) counter.add(limits, 1, now)
  return { isAllowed, allowance: { limits, rate: counter.rate(limits, now), quota: counter.quota(limits) } }
}
