/** Writes small ONNX files for tests: a protobuf writer and the few messages of ONNX that matter here. */

export type Bytes = Uint8Array

export const varint = (value: number | bigint): Bytes => {
  let rest = BigInt.asUintN(64, BigInt(value))
  const out: Array<number> = []
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  out.push(Number(rest))
  return Uint8Array.from(out)
}

export const concat = (...parts: ReadonlyArray<Bytes>): Bytes => Buffer.concat(parts)
const utf8 = (text: string): Bytes => Buffer.from(text, "utf8")

/** A field of wire type 0. */
export const int = (field: number, value: number | bigint): Bytes => concat(varint(field * 8), varint(value))
/** A field of wire type 2. */
export const bytes = (field: number, value: Bytes | string): Bytes => {
  const body = typeof value === "string" ? utf8(value) : value
  return concat(varint(field * 8 + 2), varint(body.length), body)
}
export const message = (field: number, ...parts: ReadonlyArray<Bytes>): Bytes =>
  bytes(field, concat(...parts))
export const fixed32 = (field: number, value: number): Bytes => {
  const body = new Uint8Array(4)
  new DataView(body.buffer).setFloat32(0, value, true)
  return concat(varint(field * 8 + 5), body)
}

export const elementType = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
  complex64: 14,
  BF16: 16,
  float8e4m3fn: 17,
  int4: 22,
} as const

export type Dim = number | string | null

/** ValueInfoProto of a tensor; `dims` undefined leaves the shape out. */
export const value = (name: string, type: number, dims?: ReadonlyArray<Dim>): Bytes =>
  concat(
    bytes(1, name),
    message(
      2,
      message(
        1,
        int(1, type),
        ...(dims === undefined
          ? []
          : [
              message(
                2,
                ...dims.map((dim) =>
                  dim === null
                    ? message(1)
                    : message(1, typeof dim === "string" ? bytes(2, dim) : int(1, dim)),
                ),
              ),
            ]),
      ),
    ),
  )

export const tensor = (
  name: string,
  type: number,
  dims: ReadonlyArray<number | bigint>,
  ...rest: ReadonlyArray<Bytes>
): Bytes => concat(...dims.map((dim) => int(1, dim)), int(2, type), bytes(8, name), ...rest)

export const rawData = (data: ArrayBufferView): Bytes =>
  bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))

/** An entry of `external_data`, and the location that says the data is external. */
export const external = (location: string): Bytes =>
  concat(message(13, bytes(1, "location"), bytes(2, location)), int(14, 1))

export const attributeTensor = (name: string, body: Bytes): Bytes =>
  concat(bytes(1, name), message(5, body), int(20, 4))
export const attributeGraph = (name: string, body: Bytes): Bytes =>
  concat(bytes(1, name), message(6, body), int(20, 5))
export const attributeInt = (name: string, number: number): Bytes =>
  concat(bytes(1, name), int(3, number), int(20, 2))

export interface NodeOptions {
  readonly domain?: string
  readonly name?: string
  readonly attributes?: ReadonlyArray<Bytes>
}

export const node = (
  op: string,
  inputs: ReadonlyArray<string>,
  outputs: ReadonlyArray<string>,
  options: NodeOptions = {},
): Bytes =>
  concat(
    ...inputs.map((name) => bytes(1, name)),
    ...outputs.map((name) => bytes(2, name)),
    ...(options.name === undefined ? [] : [bytes(3, options.name)]),
    bytes(4, op),
    ...(options.attributes ?? []).map((attribute) => bytes(5, attribute)),
    ...(options.domain === undefined ? [] : [bytes(7, options.domain)]),
  )

export interface GraphOptions {
  readonly name?: string
  readonly nodes?: ReadonlyArray<Bytes>
  readonly inputs?: ReadonlyArray<Bytes>
  readonly outputs?: ReadonlyArray<Bytes>
  readonly initializers?: ReadonlyArray<Bytes>
  readonly rest?: ReadonlyArray<Bytes>
}

export const graph = (options: GraphOptions): Bytes =>
  // Not `concat`: a call takes only so many arguments.
  Buffer.concat([
    ...(options.nodes ?? []).map((body) => bytes(1, body)),
    bytes(2, options.name ?? "g"),
    ...(options.initializers ?? []).map((body) => bytes(5, body)),
    ...(options.inputs ?? []).map((body) => bytes(11, body)),
    ...(options.outputs ?? []).map((body) => bytes(12, body)),
    ...(options.rest ?? []),
  ])

export interface ModelOptions extends GraphOptions {
  readonly ir?: number
  readonly opsets?: Readonly<Record<string, number>>
  /** Further fields of the ModelProto. */
  readonly model?: ReadonlyArray<Bytes>
}

export const opset = (domain: string, version: number): Bytes =>
  message(8, ...(domain === "" ? [] : [bytes(1, domain)]), int(2, version))

export const model = (options: ModelOptions): Bytes =>
  concat(
    int(1, options.ir ?? 8),
    bytes(2, "test"),
    bytes(7, graph(options)),
    ...Object.entries(options.opsets ?? { "": 17 }).map(([domain, version]) => opset(domain, version)),
    ...(options.model ?? []),
  )

/** Gives back its one input `x` as `y`. */
export const identity = (type: number, dims: ReadonlyArray<Dim> = ["n"], inner: GraphOptions = {}): Bytes =>
  model({
    ...inner,
    nodes: [node("Identity", ["x"], ["y"])],
    inputs: [value("x", type, dims)],
    outputs: [value("y", type, dims)],
  })

/** A model whose one node runs on input `x` and gives output `y`, both FP32 of shape [n]. */
export const oneNode = (body: Bytes, inner: ModelOptions = {}): Bytes =>
  model({
    nodes: [body],
    inputs: [value("x", elementType.FP32, ["n"])],
    outputs: [value("y", elementType.FP32, ["n"])],
    ...inner,
  })

/** A scalar or vector of INT64 as initializer. */
export const int64s = (name: string, dims: ReadonlyArray<number>, values: ReadonlyArray<bigint>): Bytes =>
  tensor(name, elementType.INT64, dims, rawData(BigInt64Array.from(values)))

/** Takes `n` (INT64 scalar) and loops that often; the output `y` is `n`. Endless for a large n. */
export const loop = (count: bigint): Bytes =>
  model({
    nodes: [
      node("Loop", ["trip", "go", "x"], ["y"], {
        attributes: [
          attributeGraph(
            "body",
            graph({
              name: "body",
              nodes: [node("Identity", ["go_in"], ["go_out"]), node("Sin", ["v_in"], ["v_out"])],
              inputs: [
                value("i", elementType.INT64, []),
                value("go_in", elementType.BOOL, []),
                value("v_in", elementType.FP32, ["n"]),
              ],
              outputs: [value("go_out", elementType.BOOL, []), value("v_out", elementType.FP32, ["n"])],
            }),
          ),
        ],
      }),
    ],
    initializers: [
      int64s("trip", [], [count]),
      tensor("go", elementType.BOOL, [], rawData(Uint8Array.of(1))),
    ],
    inputs: [value("x", elementType.FP32, ["n"])],
    outputs: [value("y", elementType.FP32, ["n"])],
  })

/** Makes a tensor of `sizes` zeros from nothing but its input's shape; `y` is their maximum. */
export const huge = (sizes: ReadonlyArray<bigint>): Bytes =>
  model({
    nodes: [
      node("Shape", ["x"], ["s"]),
      node("Mul", ["s", "many"], ["big"]),
      node("ConstantOfShape", ["big"], ["zeros"], {
        attributes: [
          attributeTensor("value", tensor("", elementType.FP32, [1], rawData(Float32Array.of(1)))),
        ],
      }),
      node("ReduceMax", ["zeros"], ["y"], { attributes: [attributeInt("keepdims", 0)] }),
    ],
    initializers: [int64s("many", [sizes.length], sizes)],
    inputs: [value("x", elementType.FP32, ["n"])],
    outputs: [value("y", elementType.FP32, [])],
  })
