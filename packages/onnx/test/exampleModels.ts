/** The trained models of the repository, with inputs that were held out from training and what the trainer's own runtime gave for them. */
import { readFileSync } from "node:fs"
import type { Tensor, Tensors } from "@modelforge/core"
import { Schema } from "effect"

export const exampleNames = ["digits", "wine", "diabetes"] as const
export type ExampleName = (typeof exampleNames)[number]

const folder = new URL("../../../examples/models/", import.meta.url)

export const examplePath = (name: ExampleName): string => new URL(`${name}.onnx`, folder).pathname
export const exampleBytes = (name: ExampleName): Uint8Array => readFileSync(examplePath(name))

const VectorTensor = Schema.Struct({
  dtype: Schema.Literals(["float32", "int64"]),
  shape: Schema.Array(Schema.Int),
  data: Schema.Array(Schema.Number),
})
const Vectors = Schema.fromJsonString(
  Schema.Struct({
    inputs: Schema.Record(Schema.String, VectorTensor),
    outputs: Schema.Record(Schema.String, VectorTensor),
  }),
)

const toTensor = ({ dtype, shape, data }: typeof VectorTensor.Type): Tensor =>
  dtype === "float32"
    ? { datatype: "FP32", shape, data: Float32Array.from(data) }
    : { datatype: "INT64", shape, data: BigInt64Array.from(data.map(BigInt)) }

const toTensors = (vectors: Readonly<Record<string, typeof VectorTensor.Type>>): Tensors =>
  Object.fromEntries(Object.entries(vectors).map(([name, vector]) => [name, toTensor(vector)]))

export const exampleVectors = (
  name: ExampleName,
): { readonly inputs: Tensors; readonly outputs: Tensors } => {
  const vectors = Schema.decodeSync(Vectors)(readFileSync(new URL(`${name}.vectors.json`, folder), "utf8"))
  return { inputs: toTensors(vectors.inputs), outputs: toTensors(vectors.outputs) }
}
