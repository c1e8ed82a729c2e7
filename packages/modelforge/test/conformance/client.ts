/**
 * A client of the Open Inference Protocol, written from its description alone (open-inference-protocol.md, sections 1 to 3)
 * and before its author had read the server: what the two agree on is the protocol, not a shared mistake. Keep it so: it
 * imports nothing of ModelForge.
 */
import * as http from "node:http"
import { deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib"
import { type Json, readJson, writeJson } from "./clientJson.ts"
import { type Datatype, type Element, readTensor, type Tensor, writeTensor } from "./clientTensors.ts"

export type Parameter = string | number | bigint | boolean

export interface InferInput extends Tensor {
  /** Sends the bytes after the JSON instead of the elements inside it. */
  readonly binary?: boolean
  readonly parameters?: Readonly<Record<string, Parameter>>
}

export interface RequestedOutput {
  readonly name: string
  readonly binary?: boolean
  readonly classification?: number
}

export interface InferRequest {
  readonly inputs: ReadonlyArray<InferInput>
  readonly outputs?: ReadonlyArray<RequestedOutput>
  readonly id?: string
  /** All outputs as bytes; for requests that list no outputs. */
  readonly binaryOutput?: boolean
  /** 0 is the default, 1 the highest. */
  readonly priority?: number
  readonly timeoutMicroseconds?: number
  readonly parameters?: Readonly<Record<string, Parameter>>
}

export interface CallOptions {
  readonly version?: string
  readonly compress?: "gzip" | "deflate"
  readonly acceptEncoding?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface InferResponse {
  readonly modelName: string
  readonly modelVersion: string | undefined
  readonly id: string | undefined
  readonly parameters: { readonly [name: string]: Json }
  readonly outputs: ReadonlyArray<Tensor & { readonly binary: boolean }>
  /** As they were on the wire. */
  readonly headers: http.IncomingHttpHeaders
}

export interface TensorMetadata {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: ReadonlyArray<number>
}

export interface ModelMetadata {
  readonly name: string
  readonly platform: string
  readonly versions: ReadonlyArray<string>
  readonly inputs: ReadonlyArray<TensorMetadata>
  readonly outputs: ReadonlyArray<TensorMetadata>
}

export interface StatisticDuration {
  readonly count: number
  readonly ns: number
}

type DurationName =
  | "success"
  | "fail"
  | "queue"
  | "compute_input"
  | "compute_infer"
  | "compute_output"
  | "cache_hit"
  | "cache_miss"

export interface ModelStatistics {
  readonly name: string
  readonly version: string
  readonly lastInference: number
  readonly inferenceCount: number
  readonly executionCount: number
  readonly inference: Readonly<Record<DurationName, StatisticDuration>>
  readonly batches: ReadonlyArray<{ readonly size: number; readonly infer: StatisticDuration }>
  readonly memory: ReadonlyArray<{ readonly type: string; readonly id: number; readonly bytes: number }>
}

/** What came, unread. */
export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

/** Any status but 200, with the text of the error. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError"
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  constructor(status: number, message: string, headers: http.IncomingHttpHeaders) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

/** What came is not what the protocol says. */
class ProtocolViolation extends Error {
  override readonly name = "ProtocolViolation"
}

type Members = { readonly [name: string]: Json }

const violated = (what: string): never => {
  throw new ProtocolViolation(what)
}
const members = (value: Json | undefined, what: string): Members =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Members)
    : violated(`${what} is not an object: ${writeJson(value ?? null)}`)
const list = (value: Json | undefined, what: string): ReadonlyArray<Json> =>
  Array.isArray(value) ? value : violated(`${what} is not an array: ${writeJson(value ?? null)}`)
const text = (value: Json | undefined, what: string): string =>
  typeof value === "string" ? value : violated(`${what} is not a string: ${writeJson(value ?? null)}`)
const count = (value: Json | undefined, what: string): number =>
  typeof value === "number" && Number.isInteger(value) ? value : violated(`${what} is no integer`)

const elementToJson = (element: Element): boolean | number | bigint | string =>
  element instanceof Uint8Array ? Buffer.from(element).toString("utf8") : element

const elementFromJson = (datatype: Datatype, value: Json): Element => {
  switch (datatype) {
    case "BOOL":
      return typeof value === "boolean" ? value : violated(`A BOOL came as ${writeJson(value)}`)
    case "BYTES":
      return Buffer.from(text(value, "A BYTES element"))
    case "UINT64":
    case "INT64":
      return typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value))
        ? BigInt(value)
        : violated(`A ${datatype} came as ${writeJson(value)}`)
    // Of the 16-bit ones the protocol only warns.
    case "FP16":
    case "BF16":
    case "FP32":
    case "FP64":
      return typeof value === "number" || typeof value === "bigint"
        ? Number(value)
        : violated(`A ${datatype} came as ${writeJson(value)}`)
    default:
      return typeof value === "number" && Number.isInteger(value)
        ? value
        : violated(`A ${datatype} came as ${writeJson(value)}`)
  }
}

const flat = (data: ReadonlyArray<Json>): ReadonlyArray<Json> =>
  data.flatMap((value) => (Array.isArray(value) ? flat(value) : [value]))

/** The body of an infer request, and how long its JSON is when bytes follow it. */
export const writeInfer = (
  request: InferRequest,
): { readonly body: Buffer; readonly jsonLength: number | undefined } => {
  const chunks: Array<Buffer> = []
  const inputs = request.inputs.map(({ name, datatype, shape, data, binary, parameters }) => {
    if (!binary) return { name, datatype, shape, parameters, data: data.map(elementToJson) }
    const bytes = writeTensor({ datatype, data })
    chunks.push(bytes)
    return { name, datatype, shape, parameters: { ...parameters, binary_data_size: bytes.byteLength } }
  })
  const parameters = {
    binary_data_output: request.binaryOutput,
    priority: request.priority,
    timeout: request.timeoutMicroseconds,
    ...request.parameters,
  }
  const outputs = request.outputs?.map(({ name, binary, classification }) => ({
    name,
    parameters: { binary_data: binary, classification },
  }))
  const json = Buffer.from(writeJson({ id: request.id, parameters, inputs, outputs }))
  return {
    body: Buffer.concat([json, ...chunks]),
    jsonLength: request.inputs.some(({ binary }) => binary) ? json.byteLength : undefined,
  }
}

/** Reads the answer to an infer request whose content encoding is already undone. */
export const readInfer = ({ headers, body }: Omit<Answer, "status">): InferResponse => {
  const length = headers["inference-header-content-length"]
  const type = length === undefined ? "application/json" : "application/octet-stream"
  if (headers["content-type"] !== type)
    violated(`The content type is ${headers["content-type"]}, not ${type}`)
  const jsonLength = length === undefined ? body.byteLength : Number(length)
  if (!(jsonLength <= body.byteLength))
    violated(`The JSON is said to be ${length} of ${body.byteLength} bytes long`)
  const answer = members(readJson(body.toString("utf8", 0, jsonLength)), "The answer")

  let at = jsonLength
  const outputs = list(answer["outputs"], "outputs").map((value) => {
    const output = members(value, "An output")
    const name = text(output["name"], "An output's name")
    const datatype = text(output["datatype"], "An output's datatype") as Datatype
    const shape = list(output["shape"], "An output's shape").map((size) => count(size, "A dimension"))
    const size = members(output["parameters"] ?? {}, "An output's parameters")["binary_data_size"]
    if ((size === undefined) === (output["data"] === undefined))
      violated(`${name} needs data or bytes, and not both`)
    let data: ReadonlyArray<Element>
    if (size === undefined) {
      data = flat(list(output["data"], "data")).map((element) => elementFromJson(datatype, element))
    } else {
      const end = at + count(size, "binary_data_size")
      if (end > body.byteLength) violated(`${name} ends after the body`)
      data = readTensor(datatype, body.subarray(at, end))
      at = end
    }
    const elements = shape.reduce((product, dimension) => product * dimension, 1)
    if (data.length !== elements) violated(`${name} has ${data.length} elements, its shape says ${elements}`)
    return { name, datatype, shape, data, binary: size !== undefined }
  })
  if (at !== body.byteLength) violated(`${body.byteLength - at} bytes belong to no output`)
  return {
    modelName: text(answer["model_name"], "model_name"),
    modelVersion:
      answer["model_version"] === undefined ? undefined : text(answer["model_version"], "model_version"),
    id: answer["id"] === undefined ? undefined : text(answer["id"], "id"),
    parameters: members(answer["parameters"] ?? {}, "parameters"),
    outputs,
    headers,
  }
}

const readDuration = (value: Json | undefined, what: string): StatisticDuration => {
  const duration = members(value, what)
  return { count: count(duration["count"], `${what}.count`), ns: count(duration["ns"], `${what}.ns`) }
}

const readStatistics = (value: Json): ModelStatistics => {
  const stats = members(value, "The statistics of a model")
  const inference = members(stats["inference_stats"], "inference_stats")
  const duration = (name: DurationName) => readDuration(inference[name], name)
  members(stats["response_stats"], "response_stats")
  return {
    name: text(stats["name"], "name"),
    version: text(stats["version"], "version"),
    lastInference: count(stats["last_inference"], "last_inference"),
    inferenceCount: count(stats["inference_count"], "inference_count"),
    executionCount: count(stats["execution_count"], "execution_count"),
    inference: {
      success: duration("success"),
      fail: duration("fail"),
      queue: duration("queue"),
      compute_input: duration("compute_input"),
      compute_infer: duration("compute_infer"),
      compute_output: duration("compute_output"),
      cache_hit: duration("cache_hit"),
      cache_miss: duration("cache_miss"),
    },
    batches: list(stats["batch_stats"], "batch_stats").map((one) => {
      const batch = members(one, "A batch")
      readDuration(batch["compute_input"], "compute_input")
      readDuration(batch["compute_output"], "compute_output")
      return {
        size: count(batch["batch_size"], "batch_size"),
        infer: readDuration(batch["compute_infer"], "compute_infer"),
      }
    }),
    memory: list(stats["memory_usage"], "memory_usage").map((one) => {
      const usage = members(one, "A memory usage")
      return {
        type: text(usage["type"], "type"),
        id: count(usage["id"], "id"),
        bytes: count(usage["byte_size"], "byte_size"),
      }
    }),
  }
}

/** One server. `close` lets go of its connections. */
export class InferenceClient {
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
  readonly #headers: Readonly<Record<string, string>>
  readonly #root: URL

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.#root = new URL(url)
    this.#headers = headers
  }

  close(): void {
    this.#agent.destroy()
  }

  /** One request as it is; the body of the answer as it came. */
  async send(
    method: string,
    path: string,
    body?: Uint8Array | string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      // Not as one URL, which would take the dots out of the path.
      const request = http.request({
        host: this.#root.hostname,
        port: this.#root.port,
        path,
        method,
        agent: this.#agent,
        headers: {
          ...this.#headers,
          ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
          ...headers,
        },
      })
      request.on("error", reject)
      request.on("response", (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("error", reject)
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        )
      })
      request.end(body)
    })
  }

  /** Liveness, by the status and by the body where there is one. */
  async live(): Promise<boolean> {
    return this.#health("/v2/health/live", "live")
  }

  async ready(): Promise<boolean> {
    return this.#health("/v2/health/ready", "ready")
  }

  async modelReady(model: string, version?: string): Promise<boolean> {
    return this.#health(`${modelPath(model, version)}/ready`, "ready")
  }

  async serverMetadata(): Promise<{ name: string; version: string; extensions: ReadonlyArray<string> }> {
    const answer = members(await this.#json("GET", "/v2"), "The metadata")
    return {
      name: text(answer["name"], "name"),
      version: text(answer["version"], "version"),
      extensions: list(answer["extensions"], "extensions").map((name) => text(name, "An extension")),
    }
  }

  async modelMetadata(model: string, version?: string): Promise<ModelMetadata> {
    const answer = members(await this.#json("GET", modelPath(model, version)), "The metadata")
    const tensors = (member: string): ReadonlyArray<TensorMetadata> =>
      list(answer[member], member).map((value) => {
        const tensor = members(value, "A tensor")
        return {
          name: text(tensor["name"], "name"),
          datatype: text(tensor["datatype"], "datatype") as Datatype,
          shape: list(tensor["shape"], "shape").map((size) => count(size, "A dimension")),
        }
      })
    return {
      name: text(answer["name"], "name"),
      platform: text(answer["platform"], "platform"),
      versions: list(answer["versions"] ?? [], "versions").map((version) => text(version, "A version")),
      inputs: tensors("inputs"),
      outputs: tensors("outputs"),
    }
  }

  /** The model's configuration in Triton's shape. */
  async config(model: string, version?: string): Promise<Members> {
    return members(await this.#json("GET", `${modelPath(model, version)}/config`), "The configuration")
  }

  /** Of one version, of all of a model, or of all there are. */
  async statistics(model?: string, version?: string): Promise<ReadonlyArray<ModelStatistics>> {
    const path = model === undefined ? "/v2/models" : modelPath(model, version)
    const answer = members(await this.#json("GET", `${path}/stats`), "The statistics")
    return list(answer["model_stats"], "model_stats").map(readStatistics)
  }

  async repositoryIndex(ready?: boolean): Promise<ReadonlyArray<Members>> {
    const body = ready === undefined ? undefined : writeJson({ ready })
    const answer = await this.#json("POST", "/v2/repository/index", body)
    return list(answer, "The index").map((one) => members(one, "A model of the index"))
  }

  async load(model: string, parameters?: Readonly<Record<string, Parameter>>): Promise<void> {
    const body = parameters === undefined ? undefined : writeJson({ parameters })
    await this.#ok("POST", `/v2/repository/models/${segment(model)}/load`, body)
  }

  async unload(model: string, unloadDependents?: boolean): Promise<void> {
    const parameters = { unload_dependents: unloadDependents }
    const body = unloadDependents === undefined ? undefined : writeJson({ parameters })
    await this.#ok("POST", `/v2/repository/models/${segment(model)}/unload`, body)
  }

  async infer(model: string, request: InferRequest, options: CallOptions = {}): Promise<InferResponse> {
    const { body, jsonLength } = writeInfer(request)
    return this.#infer(model, body, jsonLength, options)
  }

  /** The whole body is the one input of the model; all outputs come as bytes. */
  async inferRaw(model: string, input: Uint8Array, options: CallOptions = {}): Promise<InferResponse> {
    return this.#infer(model, input, 0, options)
  }

  async #infer(
    model: string,
    body: Uint8Array,
    jsonLength: number | undefined,
    { version, compress, acceptEncoding, headers }: CallOptions,
  ): Promise<InferResponse> {
    const sent = compress === "gzip" ? gzipSync(body) : compress === "deflate" ? deflateSync(body) : body
    const answer = await this.#ok("POST", `${modelPath(model, version)}/infer`, sent, {
      ...(jsonLength === undefined
        ? { "content-type": "application/json" }
        : {
            "content-type": "application/octet-stream",
            "inference-header-content-length": String(jsonLength),
          }),
      ...(compress === undefined ? {} : { "content-encoding": compress }),
      ...(acceptEncoding === undefined ? {} : { "accept-encoding": acceptEncoding }),
      ...headers,
    })
    return readInfer({ headers: answer.headers, body: decoded(answer) })
  }

  async #health(path: string, member: string): Promise<boolean> {
    const answer = await this.send("GET", path)
    if (answer.status !== 200) return false
    return answer.body.byteLength === 0 || members(readJson(answer.body.toString()), path)[member] === true
  }

  async #ok(
    method: string,
    path: string,
    body?: Uint8Array | string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer> {
    const answer = await this.send(method, path, body, headers)
    if (answer.status === 200) return answer
    if (answer.headers["content-type"] !== "application/json") {
      violated(`An error of ${path} came as ${answer.headers["content-type"]}`)
    }
    if (answer.headers["content-encoding"] !== undefined) violated(`An error of ${path} came compressed`)
    const error = members(readJson(answer.body.toString()), "An error")
    throw new ProtocolError(answer.status, text(error["error"], "error"), answer.headers)
  }

  async #json(method: string, path: string, body?: string): Promise<Json> {
    // As the asynchronous client of Triton does: it offers compression on every call and can undo it on infer alone.
    const answer = await this.#ok(method, path, body, { "accept-encoding": "gzip, deflate" })
    if (answer.headers["content-encoding"] !== undefined) violated(`The answer of ${path} came compressed`)
    if (!/^application\/json(;|$)/.test(answer.headers["content-type"] ?? "")) {
      violated(`The answer of ${path} came as ${answer.headers["content-type"]}`)
    }
    return readJson(answer.body.toString())
  }
}

const decoded = ({ headers, body }: Answer): Buffer => {
  switch (headers["content-encoding"]) {
    case undefined:
    case "identity":
      return body
    case "gzip":
      return gunzipSync(body)
    case "deflate":
      return inflateSync(body)
    default:
      return violated(`An answer came as ${headers["content-encoding"]}`)
  }
}

const segment = (name: string): string => encodeURIComponent(name)

const modelPath = (model: string, version?: string): string =>
  `/v2/models/${segment(model)}${version === undefined ? "" : `/versions/${segment(version)}`}`
