/** The models that are measured, generated: the same bytes on every machine. */
import { GraphBuilder, type TensorShape } from "./GraphBuilder.ts"
import { weights } from "./weights.ts"

export interface BenchModel {
  readonly name: string
  /** What it stands for, in the report. */
  readonly about: string
  /** Its one input; the first dimension is the batch. */
  readonly input: TensorShape
  /** One row of input, in row-major order. */
  readonly row: Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>
  readonly bytes: () => Uint8Array
}

const floats = (name: string, ...dims: ReadonlyArray<number>): TensorShape => ({
  name,
  datatype: "FP32",
  dims: ["batch", ...dims],
})

const smallInput = floats("x", 64)

/** 64 → 64 → 10, some microseconds: what is measured is everything around it. */
export const small: BenchModel = {
  name: "small",
  about: "64→64→10 MLP, 64 floats",
  input: smallInput,
  row: weights(64, 3, 1),
  bytes: () => {
    const graph = new GraphBuilder(100)
    const hidden = graph.op("Relu", [graph.dense("x", 64, 64)])
    return graph.finish(smallInput, graph.dense(hidden, 64, 10), ["batch", 10])
  },
}

const imageInput = floats("image", 3, 224, 224)

/** Convolutions over 224×224 pixels, 602 112 bytes a row. */
export const image: BenchModel = {
  name: "image",
  about: "5 convolutions, 3×224×224 floats",
  input: imageInput,
  row: weights(3 * 224 * 224, 3, 2),
  bytes: () => {
    const graph = new GraphBuilder(200)
    let layer = graph.convolution("image", 3, 32, 2)
    layer = graph.convolution(layer, 32, 64, 2)
    layer = graph.convolution(layer, 64, 64, 1)
    layer = graph.convolution(layer, 64, 128, 2)
    layer = graph.convolution(layer, 128, 128, 2)
    const pooled = graph.op("ReduceMean", [layer], { axes: [2, 3], keepdims: 0 })
    return graph.finish(imageInput, graph.dense(pooled, 128, 10), ["batch", 10])
  },
}

const width = 256
const tokens = 64
const vocabulary = 1000
const textInput: TensorShape = { name: "ids", datatype: "INT64", dims: ["batch", tokens] }

/** Attention of one head and two dense layers, each with its residual. */
const block = (graph: GraphBuilder, input: string): string => {
  const ones = graph.constant([width], new Float32Array(width).fill(1))
  const zeros = graph.constant([width], new Float32Array(width))
  const scale = graph.constant([], Float32Array.of(1 / Math.sqrt(width)))
  const normal = graph.op("LayerNormalization", [input, ones, zeros])
  const [query, key, values] = [0, 1, 2].map(() => graph.matMul(normal, width, width))
  const turned = graph.op("Transpose", [key ?? ""], { perm: [0, 2, 1] })
  const scores = graph.op("Mul", [graph.op("MatMul", [query ?? "", turned]), scale])
  const mixed = graph.op("MatMul", [graph.op("Softmax", [scores]), values ?? ""])
  const attended = graph.op("Add", [input, graph.matMul(mixed, width, width)])
  const again = graph.op("LayerNormalization", [attended, ones, zeros])
  const hidden = graph.op("Relu", [graph.dense(again, width, width * 4)])
  return graph.op("Add", [attended, graph.dense(hidden, width * 4, width)])
}

/** Small requests, much work: 64 token ids through transformer blocks. */
export const text: BenchModel = {
  name: "text",
  about: "transformer blocks, 64 token ids",
  input: textInput,
  row: BigInt64Array.from({ length: tokens }, (_, index) => BigInt((index * 7919) % vocabulary)),
  bytes: () => {
    const graph = new GraphBuilder(300)
    let layer = graph.op("Gather", [graph.weights([vocabulary, width], 1), "ids"])
    for (let index = 0; index < 4; index++) layer = block(graph, layer)
    const pooled = graph.op("ReduceMean", [layer], { axes: [1], keepdims: 0 })
    return graph.finish(textInput, graph.dense(pooled, width, 10), ["batch", 10])
  },
}

/** 90 MB of weights, for loading and unloading. */
export const big: BenchModel = {
  name: "big",
  about: "90 MB of weights",
  input: smallInput,
  row: weights(64, 3, 3),
  bytes: () => {
    const graph = new GraphBuilder(400)
    let layer = graph.dense("x", 64, 2048)
    for (let index = 0; index < 5; index++) layer = graph.op("Relu", [graph.dense(layer, 2048, 2048)])
    layer = graph.op("Relu", [graph.dense(layer, 2048, 704)])
    return graph.finish(smallInput, graph.dense(layer, 704, 10), ["batch", 10])
  },
}
