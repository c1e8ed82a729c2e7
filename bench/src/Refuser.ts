/** The bare Node server that refuses everything, in a process of its own. */
import { Schema } from "effect"
import { ChildProcess } from "./ChildProcess.ts"

const decodeReady = Schema.decodeUnknownSync(Schema.Struct({ port: Schema.Int }))

export class Refuser implements AsyncDisposable {
  readonly port: number
  readonly #process: ChildProcess

  private constructor(port: number, process: ChildProcess) {
    this.port = port
    this.#process = process
  }

  static async start(core?: number): Promise<Refuser> {
    const { child, ready } = await ChildProcess.start({ entry: "refuser/main.ts", core })
    return new Refuser(decodeReady(ready).port, child)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]()
  }
}
