/** Counts what happened within the last while. Plain code: every answer of a watched version passes here. */

const bucketCount = 20

export interface Counts {
  readonly requests: number
  readonly errors: number
  /** Answers that took longer than they should. */
  readonly slow: number
}

interface Bucket {
  requests: number
  errors: number
  slow: number
}

const empty = (): Bucket => ({ requests: 0, errors: 0, slow: 0 })

/** A few counters in each twentieth of the window. What is older than the window is forgotten bucket by bucket. */
export class SlidingWindow {
  readonly #bucketMs: number
  readonly #buckets = Array.from({ length: bucketCount }, empty)
  readonly #total = empty()
  /** The newest bucket's number since the beginning of time. */
  #newest = Number.NEGATIVE_INFINITY

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / bucketCount
  }

  /** `now` is in milliseconds of any clock, the same for every call. Gives what the window holds by then. */
  add(now: number, isError: boolean, isSlow: boolean): Counts {
    this.#advance(now)
    const bucket = this.#bucket(this.#newest)
    for (const counted of [bucket, this.#total]) {
      counted.requests++
      if (isError) counted.errors++
      if (isSlow) counted.slow++
    }
    return this.#total
  }

  /** Forgets what is too old. A clock that was put back changes nothing. */
  #advance(now: number): void {
    const current = Math.floor(now / this.#bucketMs)
    const steps = Math.min(bucketCount, current - this.#newest)
    for (let step = 0; step < steps; step++) {
      const old = this.#bucket(current - step)
      this.#total.requests -= old.requests
      this.#total.errors -= old.errors
      this.#total.slow -= old.slow
      Object.assign(old, empty())
    }
    this.#newest = Math.max(this.#newest, current)
  }

  #bucket(number: number): Bucket {
    // The remainder is always one of them.
    return this.#buckets[number % bucketCount] ?? empty()
  }
}
