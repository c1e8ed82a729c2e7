/** What the loop is told to do and what it answers; both cross a process boundary. */
import { Schema } from "effect"

export const LoopJob = Schema.Struct({
  row: Schema.Union([Schema.instanceOf(Float32Array), Schema.instanceOf(BigInt64Array)]),
  seconds: Schema.Finite,
})
export type LoopJob = typeof LoopJob.Type

export const LoopResult = Schema.Struct({ runs: Schema.Int, seconds: Schema.Finite })
export type LoopResult = typeof LoopResult.Type
