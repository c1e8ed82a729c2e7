/**
 * What a hand-written server, or the loop without one, is started with. Plain types: those processes load nothing
 * that a hand-written server would not.
 */
import type { TensorShape } from "../models/GraphBuilder.ts"

export interface RawOptions {
  /** The model's file. */
  readonly file: string
  readonly input: TensorShape
  /** Whether what is queued is joined into one run. */
  readonly joined: boolean
  /** Threads that one operator may use. */
  readonly threads: number
}

/** From the only argument of an entry, which the benchmark itself wrote. */
export const rawOptions = (): RawOptions => JSON.parse(process.argv[2] ?? "{}")
