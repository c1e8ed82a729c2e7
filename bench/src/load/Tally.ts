/** What becomes of the requests of one job, as it comes. */
import type { Answer } from "./Connection.ts"
import type { LoadResult } from "./LoadJob.ts"

export class Tally {
  readonly #latencies: Array<number> = []
  readonly #refusedLatencies: Array<number> = []
  readonly #counts = { answered: 0, refused: 0, improper: 0, lost: 0, missed: 0 }
  readonly #maxRequests: number
  readonly #end: number
  #begun = 0

  /** Answers that come after `end`, in milliseconds of `performance.now()`, do not count. */
  constructor(maxRequests: number, end: number) {
    this.#maxRequests = maxRequests
    this.#end = end
  }

  /** Whether one more request may be sent. */
  begin(): boolean {
    return this.#begun++ < this.#maxRequests
  }

  add(since: number, { status, head }: Answer): void {
    const now = performance.now()
    const counts = now <= this.#end ? 1 : 0
    if (status === 200) {
      this.#latencies.push(now - since)
      this.#counts.answered += counts
      return
    }
    this.#refusedLatencies.push(now - since)
    this.#counts.refused += counts
    if (status !== 503 || !/\r\nretry-after: *\d+(?:\r\n|$)/i.test(head)) this.#counts.improper++
  }

  lose(): void {
    this.#counts.lost++
  }

  miss(): void {
    this.#counts.missed++
  }

  result(seconds: number, busy: number): LoadResult {
    return {
      ...this.#counts,
      seconds,
      latencies: Float64Array.from(this.#latencies).sort(),
      refusedLatencies: Float64Array.from(this.#refusedLatencies).sort(),
      busy,
    }
  }
}
