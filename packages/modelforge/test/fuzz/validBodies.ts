/** Bodies that nothing is wrong with. */
import * as onnx from "../../../onnx/test/onnxFile.ts"

export interface Body {
  readonly bytes: Buffer
  /** Where it is JSON: then it is worth changing as such. */
  readonly json?: string
  readonly type: string
}

export const jsonBody = (value: unknown): Body => {
  const json = JSON.stringify(value)
  return { bytes: Buffer.from(json), json, type: "application/json" }
}

export const file = Buffer.from(onnx.identity(onnx.elementType.FP32, ["batch", 2]))
/** The same model in other bytes: a field that no reader knows is appended. */
export const variant = (salt: string) => Buffer.from(onnx.concat(file, onnx.bytes(6, salt)))

/** Bodies of predictions with the stable model, whose input `x` has two columns. */
export const predictions = [
  { inputs: { x: [[1, 2]] } },
  {
    inputs: {
      x: [
        [1, 2],
        [3, 4],
      ],
    },
    outputs: ["y"],
    parameters: { timeout: 30_000_000, priority: 1 },
  },
  { inputs: { x: Array.from({ length: 2000 }, (_, row) => [row, -row / 3]) } },
]
export const inferences = [
  { inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }] },
  {
    id: "1",
    inputs: [
      {
        name: "x",
        datatype: "FP32",
        shape: [2, 2],
        data: [
          [1, 2],
          [3, 4],
        ],
      },
    ],
    outputs: [{ name: "y", parameters: { classification: 1 } }],
    parameters: { priority: 1 },
  },
  {
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [0.5, -0] }],
    parameters: { binary_data_output: true },
  },
]
export const floats = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer)

export const multipart = (bytes: Buffer): Body => ({
  bytes: Buffer.concat([
    Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="../../x"\r\n\r\n'),
    bytes,
    Buffer.from("\r\n--b--\r\n"),
  ]),
  type: "multipart/form-data; boundary=b",
})
