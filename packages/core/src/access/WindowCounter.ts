/**
 * How many requests there were in the last while, at any moment. The sliding-window counter that Cloudflare described ("How
 * we built rate limiting capable of scaling to millions of domains", 2017) with two differences: there are 64 buckets
 * rather than two, and the oldest counts whole rather than by its share. So the count is never too low, and no stretch of
 * time has more than a limit, wherever it begins; a place comes back a 64th of the window later than it could. Plain
 * code: requests pass here.
 */

const bucketsOfWindow = 64

export class WindowCounter {
  readonly windowMs: number
  readonly #bucketMs: number
  readonly #counts: Float64Array
  #total = 0
  /** Number of the bucket that counts now, since the beginning of time. */
  #newest = Number.NEGATIVE_INFINITY

  /** `leeway` is by how many buckets the window is longer than asked for. */
  constructor(windowMs: number, leeway = 0) {
    this.windowMs = windowMs
    this.#bucketMs = windowMs / bucketsOfWindow
    // A window touches one bucket more than it is long.
    this.#counts = new Float64Array(bucketsOfWindow + 1 + leeway)
  }

  /** In the window that ends at `now`, in milliseconds of a clock that only goes forward. */
  total(now: number): number {
    this.#advance(now)
    return this.#total
  }

  add(now: number, requests: number): void {
    this.#advance(now)
    this.#change(this.#newest, requests)
  }

  /** Takes back what was counted at a time, where it still counts. */
  takeBack(now: number, at: number, requests: number): void {
    this.#advance(now)
    const number = Math.floor(at / this.#bucketMs)
    if (number <= this.#newest - this.#counts.length) return
    this.#change(number, -Math.min(requests, this.#counts[number % this.#counts.length] ?? 0))
  }

  /** Milliseconds until fewer are counted; 0 when none are. */
  untilFewer(now: number): number {
    this.#advance(now)
    const buckets = this.#counts.length
    let at = (this.#newest + 1) % buckets
    for (let number = this.#newest - buckets + 1; number <= this.#newest; number++) {
      if ((this.#counts[at] ?? 0) > 0) return (number + buckets) * this.#bucketMs - now
      at = at + 1 === buckets ? 0 : at + 1
    }
    return 0
  }

  #change(number: number, by: number): void {
    const at = number % this.#counts.length
    this.#counts[at] = (this.#counts[at] ?? 0) + by
    this.#total += by
  }

  #advance(now: number): void {
    const current = Math.floor(now / this.#bucketMs)
    if (current <= this.#newest) return
    if (current - this.#newest >= this.#counts.length) this.#counts.fill(0)
    else
      for (let number = this.#newest + 1; number <= current; number++)
        this.#counts[number % this.#counts.length] = 0
    this.#newest = current
    this.#total = this.#counts.reduce((sum, count) => sum + count, 0)
  }
}
