/** Keeps calls from a store that does not answer, so that it adds no waiting. Plain code: requests pass here. */

const shortestHoldMs = 1000
const longestHoldMs = 10_000

export class CircuitBreaker {
  readonly #now: () => number
  #holdMs = 0
  #until = 0

  /** `now` gives milliseconds of a clock that only goes forward. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Whether to call. After a failure one call in a while may try. */
  get admits(): boolean {
    if (this.#holdMs === 0) return true
    if (this.#now() < this.#until) return false
    this.#until = this.#now() + this.#holdMs
    return true
  }

  succeeded(): void {
    this.#holdMs = 0
  }

  /** Gives whether this is the first failure in a row. */
  failed(): boolean {
    const isFirst = this.#holdMs === 0
    this.#holdMs = Math.min(longestHoldMs, Math.max(shortestHoldMs, 2 * this.#holdMs))
    this.#until = this.#now() + this.#holdMs
    return isFirst
  }
}
