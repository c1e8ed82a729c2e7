/** A real server with real models, and the client that was written from the protocol's description. */
import { afterAll, assert } from "@effect/vitest"
import { Effect } from "effect"
import * as onnx from "../../../onnx/test/onnxFile.ts"
import { sharedServer } from "../command/command.ts"
import { send } from "../command/http.ts"
import { slowModel } from "../command/slowModel.ts"
import { type Answer, InferenceClient, type InferInput, type InferResponse, ProtocolError } from "./client.ts"
import { type Json, readJson } from "./clientJson.ts"
import type { Datatype, Element } from "./clientTensors.ts"

const { elementType: type } = onnx

/** What onnxruntime-node can carry: all of the protocol's but BF16. */
export const servedDatatypes = [
  "BOOL",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "FP16",
  "FP32",
  "FP64",
  "BYTES",
] as const satisfies ReadonlyArray<Datatype>

/** An input of each datatype, named like it, given back as `<name>_out`. Each has a length of its own. */
const every = onnx.model({
  nodes: servedDatatypes.map((name) => onnx.node("Identity", [name], [`${name}_out`])),
  inputs: servedDatatypes.map((name) => onnx.value(name, type[name], [`${name}_n`])),
  outputs: servedDatatypes.map((name) => onnx.value(`${name}_out`, type[name], [`${name}_n`])),
})

const filler = (datatype: Datatype): Element => {
  switch (datatype) {
    case "BOOL":
      return false
    case "BYTES":
      return new Uint8Array(0)
    case "INT64":
    case "UINT64":
      return 0n
    default:
      return 0
  }
}

/** What `every` needs beside the inputs of these names: an element each. */
export const fillersBeside = (...names: ReadonlyArray<string>): ReadonlyArray<InferInput> =>
  servedDatatypes
    .filter((name) => !names.includes(name))
    .map((name) => ({ name, datatype: name, shape: [1], data: [filler(name)] }))

/** The same as the JSON of `inputs`. */
export const fillersJson = (...names: ReadonlyArray<string>): string =>
  servedDatatypes
    .filter((name) => !names.includes(name))
    .map((name) => {
      const element = name === "BOOL" ? "false" : name === "BYTES" ? '""' : "0"
      return `{"name":"${name}","datatype":"${name}","shape":[1],"data":[${element}]}`
    })
    .join(",")

/** Looks `x` up in a table of three, and fails beyond. */
const table = onnx.model({
  nodes: [onnx.node("Gather", ["table", "x"], ["y"])],
  initializers: [onnx.tensor("table", type.FP32, [3], onnx.rawData(Float32Array.of(5, 6, 7)))],
  inputs: [onnx.value("x", type.INT64, ["n"])],
  outputs: [onnx.value("y", type.FP32, ["n"])],
})

/** All but `every`, `table` and `slow` give back `x` as `y`. */
const models: ReadonlyArray<readonly [name: string, file: Uint8Array]> = [
  ["every", every],
  ["rows", onnx.identity(type.FP32, ["batch", 2])],
  ["scalar", onnx.identity(type.FP32, [])],
  ["sequences", onnx.identity(type.FP32, ["batch", "length"])],
  ["grids", onnx.identity(type.FP32, ["batch", "width", "height"])],
  ["word", onnx.identity(type.BYTES, ["n"])],
  ["wide", onnx.identity(type.INT64, ["n"])],
  ["table", table],
  ["slow", slowModel],
  ["versions", onnx.identity(type.FP32, ["batch", 3])],
  ["versions", onnx.identity(type.FP32, ["batch", 4])],
]

export interface World {
  readonly client: InferenceClient
  readonly port: number
  /** A call of the management plane that must succeed. */
  readonly manage: (method: string, path: string, json: unknown) => Promise<void>
  /** An upload, whatever comes of it. */
  readonly upload: (model: string, file: Uint8Array) => Promise<{ status: number; text: string }>
}

const server = sharedServer({})
let client: InferenceClient | undefined
afterAll(() => client?.close())

const open = Effect.gen(function* () {
  const { target, url } = yield* server
  client = new InferenceClient(url)
  const upload = (model: string, body: Uint8Array) =>
    Effect.map(
      send(target, "POST", `/v1/models/${model}/versions?create=true`, { body }),
      ({ status, bytes }) => ({ status, text: bytes.toString() }),
    )
  const manage = Effect.fnUntraced(function* (method: string, path: string, json: unknown) {
    const { status, bytes } = yield* send(target, method, path, { json })
    if (status >= 300) yield* Effect.die(new Error(bytes.toString()))
  })
  for (const [name, file] of models) {
    const { status, text } = yield* upload(name, file)
    if (status !== 201) yield* Effect.die(new Error(text))
  }
  yield* manage("POST", "/v1/models", { name: "empty" })
  yield* manage("PUT", "/v1/models/versions/aliases/staging", { version: 1 })
  // What an alias points at is loaded at once; asked meanwhile, it is not ready.
  yield* manage("POST", "/v1/models/versions/versions/1/load", undefined)
  return {
    client,
    port: "port" in target ? target.port : 0,
    manage: (...args) => Effect.runPromise(manage(...args)),
    upload: (...args) => Effect.runPromise(upload(...args)),
  } satisfies World
})

/** Opened by the first who asks. */
export const world = Effect.runSync(Effect.cached(open))

/** A rule of the protocol, quoted after the number of its section, and how it is seen to hold. */
export type Rule = readonly [title: string, check: (world: World) => Promise<void>]

/** An error as every one has to be: its status, exactly this content type, never compressed, and `error` alone. */
export const errorOf = ({ status, headers, body }: Answer, expected: number): string => {
  const text = body.toString()
  assert.strictEqual(status, expected, text)
  assert.strictEqual(headers["content-type"], "application/json")
  assert.isUndefined(headers["content-encoding"])
  const members = readJson(text)
  assert.hasAllKeys(members, ["error"])
  return (members as { readonly error: string }).error
}

/** The text of an error that the client was answered. */
export const refusalOf = async (call: Promise<unknown>, expected: number): Promise<string> => {
  const error = await call.then(
    () => assert.fail("it was answered"),
    (error: unknown) => error,
  )
  if (!(error instanceof ProtocolError)) throw error
  assert.strictEqual(error.status, expected, error.message)
  return error.message
}

export const jsonOf = ({ status, headers, body }: Answer): Json => {
  assert.strictEqual(status, 200, body.toString())
  assert.strictEqual(headers["content-type"], "application/json")
  return readJson(body.toString())
}

/** Posts a body as it is to a model's infer. */
export const post = (
  { client }: World,
  model: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> => client.send("POST", `/v2/models/${model}/infer`, body, headers)

/** Rows of two for the model `rows`. */
export const rows = (data: ReadonlyArray<number>, fields: Partial<InferInput> = {}): InferInput => ({
  name: "x",
  datatype: "FP32",
  shape: [data.length / 2, 2],
  data,
  ...fields,
})

/** The same as text. */
export const rowsJson = (members = "") =>
  `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}]${members}}`

export const dataOf = (response: InferResponse, output = "y"): ReadonlyArray<Element> =>
  response.outputs.find(({ name }) => name === output)?.data ?? assert.fail(`there is no ${output}`)
