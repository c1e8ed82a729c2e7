/** Requests whose credentials were refused, counted by address. Plain code: a flood of them passes here. */
import { addressGroup } from "./IpAddress.ts"
import { WindowCounter } from "./WindowCounter.ts"

/** So many in a minute are answered with what is wrong. */
export const failedCredentialsLimit = { requests: 1000, seconds: 60 } as const

const defaultAddresses = 10_000

export class FailedCredentials {
  readonly #now: () => number
  readonly #mostAddresses: number
  readonly #counters = new Map<string, WindowCounter>()

  /** `now` gives milliseconds of a clock that only goes forward. Beyond `mostAddresses` the longest known goes. Default: 10,000. */
  constructor(now: () => number, mostAddresses = defaultAddresses) {
    this.#now = now
    this.#mostAddresses = mostAddresses
  }

  /** Counts one; gives the seconds until the address should come back, or undefined while it has not had too many. */
  count(address: string): number | undefined {
    const group = addressGroup(address)
    const now = this.#now()
    const { requests, seconds } = failedCredentialsLimit
    const counter = this.#counters.get(group) ?? new WindowCounter(seconds * 1000)
    if (counter.total(now) >= requests) return Math.max(1, Math.ceil(counter.untilFewer(now) / 1000))
    counter.add(now, 1)
    this.#counters.delete(group)
    this.#counters.set(group, counter)
    const [oldest] = this.#counters.keys()
    if (this.#counters.size > this.#mostAddresses && oldest !== undefined) this.#counters.delete(oldest)
    return undefined
  }
}
