/** What the load process is told to do and what it answers; both cross a process boundary. */
import { Schema } from "effect"

export const LoadJob = Schema.Struct({
  port: Schema.Int,
  /** Whole HTTP requests. Each time one of them is sent, whichever comes up. */
  requests: Schema.NonEmptyArray(Schema.Uint8Array),
  /** Open at the start. Without a beat, each sends its next request when it has the answer. */
  connections: Schema.Int,
  /** Ends after so long. What is answered later has a latency, but is not counted. */
  seconds: Schema.Finite,
  /** Ends after so many requests. */
  maxRequests: Schema.Int,
  /** Sends on this beat, whether or not answers come, instead of as fast as they come. */
  beat: Schema.optionalKey(
    Schema.Struct({
      everyMs: Schema.Finite,
      /** When so many wait for their answers, what is due is not sent. */
      maxConnections: Schema.Int,
    }),
  ),
  /** Counts requests that lose their connection and goes on. By default they fail the job. */
  mayLose: Schema.optionalKey(Schema.Boolean),
})
export type LoadJob = typeof LoadJob.Type

/** In milliseconds, ascending. */
const Latencies = Schema.instanceOf(Float64Array)

export const LoadResult = Schema.Struct({
  /** Requests answered with 200. */
  answered: Schema.Int,
  /** Requests answered with anything else. */
  refused: Schema.Int,
  /** Those among the refused that were not 503 with a `Retry-After` in seconds. */
  improper: Schema.Int,
  /** Requests whose connection ended before an answer came. */
  lost: Schema.Int,
  /** Requests that were due, but all connections were waiting. */
  missed: Schema.Int,
  seconds: Schema.Finite,
  /** Of answers with 200. */
  latencies: Latencies,
  /** Of all other answers. */
  refusedLatencies: Latencies,
  /** Of this process itself, to see whether it was the limit: processor time over wall time. */
  busy: Schema.Finite,
})
export type LoadResult = typeof LoadResult.Type
