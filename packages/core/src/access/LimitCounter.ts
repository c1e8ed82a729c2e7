/** The requests of one subject, counted in this process. Plain code: requests pass here. */
import type { Quota } from "../model/ApiKey.ts"
import { type QuotaPeriod, quotaPeriod } from "./quotaPeriod.ts"
import type { Limits, Standing } from "./RateLimitStore.ts"
import { WindowCounter } from "./WindowCounter.ts"

/** Windows must not jump when the date is put right, and periods go by the date. In milliseconds. */
export interface LimitClock {
  /** Only goes forward. */
  readonly elapsed: () => number
  /** Since 1970. */
  readonly date: () => number
}

export class LimitCounter {
  readonly #clock: LimitClock
  readonly #leeway: number
  #window: WindowCounter | undefined
  #period: QuotaPeriod | undefined
  #inPeriod = 0

  /** `leeway` is by how many buckets windows are longer. */
  constructor(clock: LimitClock, leeway = 0) {
    this.#clock = clock
    this.#leeway = leeway
  }

  /** For calls that belong together: asking the clock costs more than counting. */
  get now(): number {
    return this.#clock.elapsed()
  }

  rate({ rate }: Limits, now = this.now): Standing | null {
    if (rate === null) return null
    const window = this.#windowOf(rate.seconds)
    return { remaining: Math.max(0, rate.requests - window.total(now)), resetMs: window.untilFewer(now) }
  }

  quota({ quota }: Limits): Standing | null {
    if (quota === null) return null
    const now = this.#clock.date()
    const { endsAt } = this.#periodAt(quota.period, now)
    return { remaining: Math.max(0, quota.requests - this.#inPeriod), resetMs: endsAt - now }
  }

  /** How many more requests both leave. */
  remaining(limits: Limits, now = this.now): number {
    const { rate, quota } = limits
    const byRate =
      rate === null ? Number.POSITIVE_INFINITY : rate.requests - this.#windowOf(rate.seconds).total(now)
    const byQuota = this.quota(limits)?.remaining ?? Number.POSITIVE_INFINITY
    return Math.max(0, quota === null ? byRate : Math.min(byRate, byQuota))
  }

  /** Counts requests, whether or not the limits leave them. */
  add({ rate, quota }: Limits, requests: number, now = this.now): void {
    if (rate !== null) this.#windowOf(rate.seconds).add(now, requests)
    if (quota === null) return
    this.#periodAt(quota.period, this.#clock.date())
    this.#inPeriod += requests
  }

  /** Takes back requests that were counted when `elapsed` was `at`. */
  takeBack({ rate, quota }: Limits, at: number, requests: number): void {
    const { now } = this
    if (rate !== null) this.#windowOf(rate.seconds).takeBack(now, at, requests)
    if (quota === null) return
    const date = this.#clock.date()
    const { startsAt } = this.#periodAt(quota.period, date)
    if (now - at <= date - startsAt) this.#inPeriod = Math.max(0, this.#inPeriod - requests)
  }

  /** Whether it counts nothing that still matters. */
  get isIdle(): boolean {
    const inWindow = this.#window?.total(this.now) ?? 0
    const isOver = this.#period === undefined || this.#clock.date() >= this.#period.endsAt
    return inWindow === 0 && (this.#inPeriod === 0 || isOver)
  }

  /** A window of another length begins anew. */
  #windowOf(seconds: number): WindowCounter {
    if (this.#window?.windowMs !== seconds * 1000)
      this.#window = new WindowCounter(seconds * 1000, this.#leeway)
    return this.#window
  }

  #periodAt(length: Quota["period"], now: number): QuotaPeriod {
    // A date that is put back stays in the period: what was counted goes on counting.
    if (this.#period?.length !== length || now >= this.#period.endsAt) {
      this.#period = quotaPeriod(length, now)
      this.#inPeriod = 0
    }
    return this.#period
  }
}
