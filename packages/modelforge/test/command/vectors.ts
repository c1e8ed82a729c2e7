/** The held-out inputs of the example models, with what the trainer's own runtime gave for them. */
import { readFileSync } from "node:fs"
import { type ExampleModel, exampleModels } from "@modelforge/example-models"
import { Schema } from "effect"

export const VectorTensor = Schema.Struct({
  dtype: Schema.Literals(["float32", "int64"]),
  shape: Schema.Array(Schema.Int),
  data: Schema.Array(Schema.Number),
})
export type VectorTensor = typeof VectorTensor.Type

const Vectors = Schema.fromJsonString(
  Schema.Struct({
    model: Schema.String,
    /** Accuracy of the classifiers, R² of the regression. */
    score: Schema.Number,
    inputs: Schema.Record(Schema.String, VectorTensor),
    outputs: Schema.Record(Schema.String, VectorTensor),
    target: Schema.Array(Schema.Number),
  }),
)
export type Vectors = typeof Vectors.Type

export const vectorsOf = ({ vectors }: ExampleModel): Vectors =>
  Schema.decodeSync(Vectors)(readFileSync(vectors, "utf8"))

export const vectorsNamed = (name: string): Vectors => {
  const example = exampleModels.find((model) => model.name === name)
  if (example === undefined) throw new Error(`no example is named ${name}`)
  return vectorsOf(example)
}

export type Nested = number | ReadonlyArray<Nested>

export const nest = (data: ReadonlyArray<number>, [size, ...rest]: ReadonlyArray<number>): Nested => {
  if (size === undefined) return data[0] ?? Number.NaN
  const stride = data.length / size
  return Array.from({ length: size }, (_, index) =>
    nest(data.slice(index * stride, (index + 1) * stride), rest),
  )
}

/** Some of the rows of every tensor. */
export const rowsOf = (
  tensors: Readonly<Record<string, VectorTensor>>,
  from: number,
  to: number,
): Readonly<Record<string, VectorTensor>> =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
      const [rows = 0, ...rest] = shape
      const stride = data.length / rows
      return [name, { dtype, shape: [to - from, ...rest], data: data.slice(from * stride, to * stride) }]
    }),
  )

/** As `/v1/models/…/predict` takes and gives them. */
export const nestAll = (tensors: Readonly<Record<string, VectorTensor>>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, { data, shape }]) => [name, nest(data, shape)]))
