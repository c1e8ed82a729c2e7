/** What the load process is told to do and what it answers; both cross a process boundary. */
import { Schema } from "effect"

export const LoadJob = Schema.Struct({
  port: Schema.Int,
  /** One whole HTTP request, sent again and again. */
  request: Schema.Uint8Array,
  connections: Schema.Int,
  /** Ends after so long, even in the middle of requests, which then do not count. */
  seconds: Schema.Finite,
  /** Ends after so many requests. */
  maxRequests: Schema.Int,
  /** Sends on this beat, on further connections where it must, instead of as fast as answers come. */
  everyMs: Schema.optionalKey(Schema.Finite),
})
export type LoadJob = typeof LoadJob.Type

export const LoadResult = Schema.Struct({
  /** Requests answered with 200. */
  answered: Schema.Int,
  /** Requests answered with anything else. */
  refused: Schema.Int,
  seconds: Schema.Finite,
  /** Of every answer, in milliseconds, ascending. */
  latencies: Schema.instanceOf(Float64Array),
  /** Of this process itself, to see whether it was the limit: processor time over wall time. */
  busy: Schema.Finite,
})
export type LoadResult = typeof LoadResult.Type
