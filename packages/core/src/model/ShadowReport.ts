/** What a server saw of a version that shadows others. */
import { Schema } from "effect"
import { VersionNumber } from "./Version.ts"

/** Milliseconds of the runs, nearest rank. */
export const Percentiles = Schema.Struct({ p50: Schema.Finite, p95: Schema.Finite, p99: Schema.Finite })
export type Percentiles = typeof Percentiles.Type

/** Over requests, of what is largest within each. */
export const Deviation = Schema.Struct({ max: Schema.Finite, mean: Schema.Finite })
export type Deviation = typeof Deviation.Type

export const ShadowReport = Schema.Struct({
  version: VersionNumber,
  /** When this server began to count. */
  since: Schema.DateTimeUtcFromString,
  /** Requests that both versions answered. */
  compared: Schema.Int,
  /** Requests that the shadow failed on, inputs that it does not take among them. */
  errors: Schema.Int,
  /** Requests that were not run again, since there was no room for them. */
  dropped: Schema.Int,
  /** Of those compared, the answers that had no output in common, or other shapes, datatypes, NaN or infinities. */
  unlike: Schema.Int,
  /** Of the newest compared, so many are behind what follows. */
  window: Schema.Int,
  /** Absolute difference of floats; null where none was compared. */
  difference: Schema.NullOr(Deviation),
  /** Share of the elements, of other datatypes, that were not equal; null where none was compared. */
  unequal: Schema.NullOr(Deviation),
  /** Of the answers that callers got; null before the first. */
  primaryMs: Schema.NullOr(Percentiles),
  shadowMs: Schema.NullOr(Percentiles),
})
export type ShadowReport = typeof ShadowReport.Type
