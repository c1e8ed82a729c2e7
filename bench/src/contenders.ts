/** Who is measured. One line each: what the product learns to switch becomes another line here. */
import { readFile } from "node:fs/promises"
import { Schema } from "effect"
import { type ChildOptions, ChildProcess } from "./ChildProcess.ts"
import type { ForgeOptions } from "./forge/ForgeOptions.ts"
import type { BenchModel } from "./models/BenchModel.ts"
import type { RawOptions } from "./raw/RawOptions.ts"
import type { BenchRequest } from "./requests.ts"
import type { Workspace } from "./Workspace.ts"

export type Contender =
  | { readonly name: string; readonly raw: Omit<RawOptions, "file" | "input"> }
  | { readonly name: string; readonly forge: Omit<ForgeOptions, "dataDirectory"> }

export const raw: Contender = { name: "raw", raw: { joined: false, threads: 1 } }
const rawJoined: Contender = { name: "raw joined", raw: { joined: true, threads: 1 } }
const forgeInline: Contender = { name: "forge inline", forge: { execution: "inline" } }
const forgeProcess: Contender = { name: "forge process", forge: { execution: "process" } }

/** The hand-written server comes first: the others are compared with it. */
export const contenders: ReadonlyArray<Contender> = [raw, rawJoined, forgeInline, forgeProcess]

/** A contender that runs with one model. Disposing of it stops it. */
export class RunningServer implements AsyncDisposable {
  readonly name: string
  readonly port: number
  readonly pid: number
  readonly #process: ChildProcess

  private constructor(name: string, port: number, process: ChildProcess) {
    this.name = name
    this.port = port
    this.pid = process.pid
    this.#process = process
  }

  static async start(
    contender: Contender,
    model: BenchModel,
    workspace: Workspace,
    where: Pick<ChildOptions, "core"> = {},
  ): Promise<RunningServer> {
    const file = await workspace.fileOf(model)
    const { child, ready } = await ChildProcess.start(
      "raw" in contender
        ? { ...where, entry: "raw/main.ts", options: { ...contender.raw, file, input: model.input } }
        : {
            ...where,
            entry: "forge/main.ts",
            options: { ...contender.forge, dataDirectory: await workspace.dataFolder() },
          },
    )
    const server = new RunningServer(contender.name, decodeReady(ready).port, child)
    try {
      if ("forge" in contender) await upload(server.port, model.name, file)
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
    return server
  }

  /** Sends one request; gives the answer, for a check that it is one. */
  fetch({ path, headers, body }: BenchRequest): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${path}`, {
      method: "POST",
      headers,
      body: Uint8Array.from(body),
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]()
  }
}

const decodeReady = Schema.decodeUnknownSync(Schema.Struct({ port: Schema.Int }))

/** Registers a model file with a server of ModelForge. */
export const upload = async (port: number, name: string, file: string): Promise<void> => {
  const response = await fetch(`http://127.0.0.1:${port}/v1/models/${name}/versions?create=true`, {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: await readFile(file),
  })
  if (response.status !== 201) throw new Error(`the upload of ${name} was refused: ${await response.text()}`)
}
