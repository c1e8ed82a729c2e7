/** Who is measured. One line each: what the product learns to switch becomes another line here. */
import { readFile } from "node:fs/promises"
import { Schema } from "effect"
import type { Models } from "modelforge"
import { credentials } from "./benchKey.ts"
import { type ChildOptions, ChildProcess } from "./ChildProcess.ts"
import type { ForgeOptions } from "./forge/ForgeOptions.ts"
import type { BenchModel } from "./models/BenchModel.ts"
import type { RawOptions } from "./raw/RawOptions.ts"
import type { BenchRequest } from "./requests.ts"
import type { Workspace } from "./Workspace.ts"

export type Contender =
  | { readonly name: string; readonly raw: Omit<RawOptions, "file" | "input"> }
  | {
      readonly name: string
      readonly forge: Omit<ForgeOptions, "dataDirectory">
      /** What its operator says after the upload. Default: nothing, so what ModelForge chooses by itself. */
      readonly config?: Parameters<Models["configure"]>[1]
    }

export const raw: Contender = { name: "raw", raw: { joined: false, threads: 1 } }
const rawJoined: Contender = { name: "raw joined", raw: { joined: true, threads: 1 } }
export const forgeInline = { name: "forge inline", forge: { execution: "inline" } } as const
export const forgeProcess = { name: "forge process", forge: { execution: "process" } } as const

/** The hand-written server comes first: the others are compared with it. */
export const contenders: ReadonlyArray<Contender> = [raw, rawJoined, forgeInline, forgeProcess]

/** The same with a key asked for and requests counted. */
export const guarded: ReadonlyArray<Contender> = [
  { name: "forge inline, guarded", forge: { ...forgeInline.forge, guarded: true } },
  { name: "forge process, guarded", forge: { ...forgeProcess.forge, guarded: true } },
]

const alone = { batching: { maxBatchSize: 1 } }

/** The same, joining nothing: told apart by several connections only. */
export const unbatched: ReadonlyArray<Contender> = [forgeInline, forgeProcess].map((contender) => ({
  ...contender,
  name: `${contender.name}, unbatched`,
  config: alone,
}))

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
      if ("forge" in contender) {
        await upload(server.port, model.name, file)
        const { config } = contender
        if (config !== undefined) await manage(server.port, "PUT", `models/${model.name}/config`, config)
      }
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

/** A call of the management plane; gives the answer. Throws when it is refused. */
export const manage = async (port: number, method: string, path: string, body?: object): Promise<unknown> => {
  const response = await fetch(`http://127.0.0.1:${port}/v1/${path}`, {
    method,
    headers: credentials,
    ...(body === undefined
      ? {}
      : {
          headers: { ...credentials, "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
  })
  if (!response.ok) throw new Error(`${method} ${path} was refused: ${await response.text()}`)
  return response.json()
}

/** Registers a model file with a server of ModelForge. An alias has it loaded ahead. */
export const upload = async (port: number, name: string, file: string, alias?: string): Promise<void> => {
  const query = alias === undefined ? "create=true" : `create=true&alias=${alias}`
  const response = await fetch(`http://127.0.0.1:${port}/v1/models/${name}/versions?${query}`, {
    method: "POST",
    headers: { ...credentials, "content-type": "application/octet-stream" },
    body: await readFile(file),
  })
  if (response.status !== 201) throw new Error(`the upload of ${name} was refused: ${await response.text()}`)
}
