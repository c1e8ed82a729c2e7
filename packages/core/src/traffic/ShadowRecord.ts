/** What came of the requests that one version shadowed. */
import type { DateTime } from "effect"
import type { Deviation, Percentiles, ShadowReport } from "../model/ShadowReport.ts"
import type { VersionNumber } from "../model/Version.ts"
import type { OutputDifference } from "./outputDifference.ts"

/** Comparisons that are remembered one by one. */
const maxWindow = 1000

interface Comparison extends Partial<OutputDifference> {
  readonly primaryMs: number
  readonly shadowMs: number
}

export class ShadowRecord {
  readonly #version: VersionNumber
  readonly #since: DateTime.Utc
  /** A ring: the oldest is written over. */
  readonly #newest: Array<Comparison> = []
  #compared = 0
  #unlike = 0
  errors = 0
  dropped = 0

  constructor(version: VersionNumber, since: DateTime.Utc) {
    this.#version = version
    this.#since = since
  }

  /** Without a difference, the answers could not be held against each other. */
  compared(primaryMs: number, shadowMs: number, difference: OutputDifference | undefined): void {
    this.#newest[this.#compared % maxWindow] = { primaryMs, shadowMs, ...difference }
    this.#compared++
    if (difference === undefined) this.#unlike++
  }

  report(): ShadowReport {
    const newest = this.#newest
    return {
      version: this.#version,
      since: this.#since,
      compared: this.#compared,
      errors: this.errors,
      dropped: this.dropped,
      unlike: this.#unlike,
      window: newest.length,
      difference: deviation(newest.flatMap(({ difference }) => difference ?? [])),
      unequal: deviation(newest.flatMap(({ unequal }) => unequal ?? [])),
      primaryMs: percentiles(newest.map(({ primaryMs }) => primaryMs)),
      shadowMs: percentiles(newest.map(({ shadowMs }) => shadowMs)),
    }
  }
}

const deviation = (values: ReadonlyArray<number>): Deviation | null =>
  values.length === 0
    ? null
    : {
        max: values.reduce((max, value) => Math.max(max, value), 0),
        // Divided first: the sum of large floats may be infinite.
        mean: values.reduce((mean, value) => mean + value / values.length, 0),
      }

const percentiles = (values: ReadonlyArray<number>): Percentiles | null => {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  const rank = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0
  return { p50: rank(0.5), p95: rank(0.95), p99: rank(0.99) }
}
