/** The load process, seen from the benchmark. */
import { Schema } from "effect"
import { ChildProcess } from "./ChildProcess.ts"
import { type LoadJob, LoadResult } from "./load/LoadJob.ts"

const decode = Schema.decodeUnknownSync(LoadResult)

/** Far more than any server here answers in the time given. */
const noLimit = 100_000_000

/** Above this the load process may have been the limit, and not the server. */
const busyLimit = 0.9

/** What one should know of a measurement of `name` in which the load process was so busy. */
export const busyNotes = (name: string, busy: number): ReadonlyArray<string> =>
  busy > busyLimit
    ? [`${name}: the load generator was busy ${(busy * 100).toFixed(0)} % of the time and may be the limit`]
    : []

export class LoadGenerator implements AsyncDisposable {
  readonly #process: ChildProcess

  private constructor(process: ChildProcess) {
    this.#process = process
  }

  static async start(core?: number): Promise<LoadGenerator> {
    const { child } = await ChildProcess.start({ entry: "load/main.ts", core })
    return new LoadGenerator(child)
  }

  async run(job: Omit<LoadJob, "maxRequests"> & { readonly maxRequests?: number }): Promise<LoadResult> {
    return decode(await this.#process.ask({ maxRequests: noLimit, ...job }))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]()
  }
}
