/**
 * A client of the Open Inference Protocol with binary tensors, written from the protocol's text alone: it shares no
 * code with the server.
 */
import { deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib"

/** FP16 and BF16 are their 16 bits. */
export type Element = number | bigint | boolean | string | Uint8Array

export interface Input {
  readonly name: string
  readonly datatype: string
  readonly shape: ReadonlyArray<number>
  readonly values: ReadonlyArray<Element>
  /** Bytes behind the JSON rather than `data` in it. */
  readonly binary?: boolean
}

export interface InferCall {
  readonly inputs: ReadonlyArray<Input>
  readonly outputs?: ReadonlyArray<{
    readonly name: string
    readonly parameters?: Readonly<Record<string, unknown>>
  }>
  readonly id?: string
  readonly parameters?: Readonly<Record<string, unknown>>
  readonly compression?: "gzip" | "deflate"
  readonly accept?: string
}

export interface Output {
  readonly name: string
  readonly datatype: string
  readonly shape: ReadonlyArray<number>
  readonly values: ReadonlyArray<Element>
  readonly binary: boolean
}

export interface InferAnswer {
  readonly status: number
  readonly headers: Headers
  readonly error: string | undefined
  readonly id: string | undefined
  readonly model: string | undefined
  readonly version: string | undefined
  readonly outputs: ReadonlyArray<Output>
}

export type Post = (
  body: Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>>,
) => Promise<Response>

interface Codec {
  readonly width: number
  readonly put: (view: DataView, at: number, value: Element) => void
  readonly get: (view: DataView, at: number) => Element
}

const number = (
  width: number,
  put: (view: DataView, at: number, value: number) => void,
  get: (view: DataView, at: number) => number,
): Codec => ({ width, put: (view, at, value) => put(view, at, Number(value)), get })

const half = number(
  2,
  (view, at, value) => view.setUint16(at, value, true),
  (view, at) => view.getUint16(at, true),
)

const codecs: Readonly<Record<string, Codec>> = {
  BOOL: {
    width: 1,
    put: (view, at, value) => view.setUint8(at, value ? 1 : 0),
    get: (view, at) => view.getUint8(at) === 1,
  },
  UINT8: number(
    1,
    (view, at, value) => view.setUint8(at, value),
    (view, at) => view.getUint8(at),
  ),
  UINT16: half,
  UINT32: number(
    4,
    (view, at, value) => view.setUint32(at, value, true),
    (view, at) => view.getUint32(at, true),
  ),
  UINT64: {
    width: 8,
    put: (view, at, value) => view.setBigUint64(at, BigInt(value as bigint), true),
    get: (view, at) => view.getBigUint64(at, true),
  },
  INT8: number(
    1,
    (view, at, value) => view.setInt8(at, value),
    (view, at) => view.getInt8(at),
  ),
  INT16: number(
    2,
    (view, at, value) => view.setInt16(at, value, true),
    (view, at) => view.getInt16(at, true),
  ),
  INT32: number(
    4,
    (view, at, value) => view.setInt32(at, value, true),
    (view, at) => view.getInt32(at, true),
  ),
  INT64: {
    width: 8,
    put: (view, at, value) => view.setBigInt64(at, BigInt(value as bigint), true),
    get: (view, at) => view.getBigInt64(at, true),
  },
  FP16: half,
  BF16: half,
  FP32: number(
    4,
    (view, at, value) => view.setFloat32(at, value, true),
    (view, at) => view.getFloat32(at, true),
  ),
  FP64: number(
    8,
    (view, at, value) => view.setFloat64(at, value, true),
    (view, at) => view.getFloat64(at, true),
  ),
}

const codecOf = (datatype: string): Codec => {
  const codec = codecs[datatype]
  if (codec === undefined) throw new Error(`no datatype of the protocol: ${datatype}`)
  return codec
}

const pack = (datatype: string, values: ReadonlyArray<Element>): Buffer => {
  if (datatype === "BYTES")
    return Buffer.concat(
      values.flatMap((value) => {
        const bytes = Buffer.from(value as string)
        const length = Buffer.alloc(4)
        length.writeUInt32LE(bytes.length)
        return [length, bytes]
      }),
    )
  const { width, put } = codecOf(datatype)
  const bytes = Buffer.alloc(width * values.length)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  for (const [index, value] of values.entries()) put(view, index * width, value)
  return bytes
}

const unpack = (datatype: string, bytes: Buffer): ReadonlyArray<Element> => {
  const values: Array<Element> = []
  if (datatype === "BYTES") {
    for (let at = 0; at < bytes.length; ) {
      const end = at + 4 + bytes.readUInt32LE(at)
      values.push(new Uint8Array(bytes.subarray(at + 4, end)))
      at = end
    }
    return values
  }
  const { width, get } = codecOf(datatype)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  for (let at = 0; at < bytes.length; at += width) values.push(get(view, at))
  return values
}

/** Integers of any length, and what JSON has no words for, as Triton's client writes them. */
const literal = (value: Element): string =>
  typeof value === "bigint" || typeof value === "number" ? String(value) : JSON.stringify(value)

/** The JSON of a call, the bytes behind it, and its headers. */
export const encode = ({ inputs, outputs, id, parameters }: InferCall) => {
  const binary: Array<Buffer> = []
  const told = inputs.map(({ name, datatype, shape, values, binary: asBytes = false }) => {
    const head = `"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape}]`
    if (!asBytes) return `{${head},"data":[${values.map(literal)}]}`
    const bytes = pack(datatype, values)
    binary.push(bytes)
    return `{${head},"parameters":{"binary_data_size":${bytes.length}}}`
  })
  const others = JSON.stringify({ id, parameters, outputs }).slice(1, -1)
  const json = Buffer.from(`{${others === "" ? "" : `${others},`}"inputs":[${told}]}`)
  return {
    body: Buffer.concat([json, ...binary]),
    headers: {
      ...(binary.length === 0 ? {} : { "inference-header-content-length": String(json.length) }),
      "content-type": binary.length === 0 ? "application/json" : "application/octet-stream",
    },
  }
}

/** `fetch` has decompressed already what came over a network; what a handler gave directly it has not. */
const plain = (bytes: Buffer, encoding: string | null): Buffer => {
  if (encoding === "gzip" && bytes[0] === 0x1f && bytes[1] === 0x8b) return gunzipSync(bytes)
  return encoding === "deflate" && bytes[0] === 0x78 ? inflateSync(bytes) : bytes
}

interface WireOutput {
  readonly name: string
  readonly datatype: string
  readonly shape: ReadonlyArray<number>
  readonly data?: ReadonlyArray<Element>
  readonly parameters?: { readonly binary_data_size?: number }
}

/** Long integers come as bigints from JSON too, and NaN as it is written. */
const parse = (json: string) =>
  JSON.parse(
    json.replace(/(?<=[[,])(?:-?Infinity|NaN)(?=[\],])/g, '"$&"'),
    (_key, value, context?: { source?: string }) => {
      if (value === "NaN" || value === "Infinity" || value === "-Infinity") return Number(value)
      return typeof value === "number" &&
        !Number.isSafeInteger(value) &&
        /^-?\d+$/.test(context?.source ?? "")
        ? BigInt(context?.source ?? 0)
        : value
    },
  )

const decode = async (response: Response): Promise<InferAnswer> => {
  const { status, headers } = response
  const body = plain(Buffer.from(await response.arrayBuffer()), headers.get("content-encoding"))
  const length = Number(headers.get("inference-header-content-length") ?? body.length)
  const json = parse(body.subarray(0, length).toString())
  let at = length
  const outputs = (json.outputs ?? []).map((output: WireOutput): Output => {
    const { name, datatype, shape, data, parameters } = output
    if (data !== undefined) return { name, datatype, shape, values: data, binary: false }
    const start = at
    at += parameters?.binary_data_size ?? Number.NaN
    return { name, datatype, shape, values: unpack(datatype, body.subarray(start, at)), binary: true }
  })
  if (at !== body.length) throw new Error(`${body.length - at} bytes that are no output's`)
  const { error, id, model_name: model, model_version: version } = json
  return { status, headers, error, id, model, version, outputs }
}

export const infer = async (post: Post, call: InferCall): Promise<InferAnswer> => {
  const { body, headers } = encode(call)
  const { compression, accept } = call
  const sent = compression === undefined ? body : { gzip: gzipSync, deflate: deflateSync }[compression](body)
  return decode(
    await post(new Uint8Array(sent), {
      ...headers,
      ...(compression === undefined ? {} : { "content-encoding": compression }),
      ...(accept === undefined ? {} : { "accept-encoding": accept }),
    }),
  )
}
