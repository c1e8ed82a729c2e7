/** How a model is served, in the shape of Triton's model configuration: clients read from it how to batch. */
import { type Dimension, mayJoin, type Route, type TensorSpec } from "@modelforge/core"

/** Rows that clients may put into a request where the operator says nothing; the server itself takes any number. */
const defaultBatchSize = 64

/** The protocol has one word for every dimension without a fixed size. */
export const sizeOf = (dimension: Dimension): number => (typeof dimension === "number" ? dimension : -1)

/** Triton's name for BYTES is that of its elements. */
const dataType = ({ datatype }: TensorSpec) => `TYPE_${datatype === "BYTES" ? "STRING" : datatype}`

/** With a batch's dimension, and something left without it, which Triton's configurations can't do without. */
const isBatched = ({ signature }: Route): boolean =>
  mayJoin(signature) && [...signature.inputs, ...signature.outputs].every(({ shape }) => shape.length > 1)

/** `versions` are those that can be asked. */
export const tritonConfig = (route: Route, versions: ReadonlyArray<number>) => {
  const { model, signature, config } = route
  const batched = isBatched(route)
  const { maxBatchSize = defaultBatchSize, maxDelayMs = 0 } = config.batching ?? {}
  const tensor = (spec: TensorSpec) => ({
    name: spec.name,
    data_type: dataType(spec),
    dims: spec.shape.slice(batched ? 1 : 0).map(sizeOf),
  })
  return {
    name: model,
    platform: "onnxruntime_onnx",
    backend: "onnxruntime",
    version_policy: { specific: { versions } },
    max_batch_size: batched ? maxBatchSize : 0,
    input: signature.inputs.map(tensor),
    output: signature.outputs.map(tensor),
    ...(batched && maxBatchSize > 1
      ? { dynamic_batching: { max_queue_delay_microseconds: maxDelayMs * 1000 } }
      : {}),
  }
}
