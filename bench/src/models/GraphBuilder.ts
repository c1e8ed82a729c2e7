/** Puts the graph of a benchmark model together layer by layer, on the ONNX writer of the runtime's tests. */
import {
  attributeInt,
  type Bytes,
  bytes,
  concat,
  type Dim,
  elementType,
  int,
  model,
  node,
  rawData,
  tensor,
  value,
} from "../../../packages/onnx/test/onnxFile.ts"
import { weights } from "./weights.ts"

type Attribute = number | ReadonlyArray<number>

const attribute = (name: string, given: Attribute): Bytes =>
  typeof given === "number"
    ? attributeInt(name, given)
    : concat(bytes(1, name), ...given.map((entry) => int(8, entry)), int(20, 7))

export interface TensorShape {
  readonly name: string
  readonly datatype: "FP32" | "INT64"
  readonly dims: ReadonlyArray<Dim>
}

export class GraphBuilder {
  readonly #nodes: Array<Bytes> = []
  readonly #initializers: Array<Bytes> = []
  #next = 0
  #seed: number

  constructor(seed: number) {
    this.#seed = seed
  }

  /** Adds an operator; gives the name of its output. */
  op(name: string, inputs: ReadonlyArray<string>, attributes: Readonly<Record<string, Attribute>> = {}) {
    const output = `t${this.#next++}`
    const encoded = Object.entries(attributes).map(([key, given]) => attribute(key, given))
    this.#nodes.push(node(name, inputs, [output], { attributes: encoded }))
    return output
  }

  /** Adds random weights; gives their name. */
  weights(dims: ReadonlyArray<number>, fanIn: number): string {
    const count = dims.reduce((product, size) => product * size, 1)
    return this.constant(dims, weights(count, fanIn, this.#seed++))
  }

  constant(dims: ReadonlyArray<number>, values: Float32Array): string {
    const name = `w${this.#next++}`
    this.#initializers.push(tensor(name, elementType.FP32, dims, rawData(values)))
    return name
  }

  matMul(input: string, from: number, to: number): string {
    return this.op("MatMul", [input, this.weights([from, to], from)])
  }

  /** MatMul and bias. */
  dense(input: string, from: number, to: number): string {
    return this.op("Add", [this.matMul(input, from, to), this.weights([to], from)])
  }

  /** A 3×3 convolution and Relu. */
  convolution(input: string, from: number, to: number, stride: number): string {
    const kernel = this.weights([to, from, 3, 3], from * 9)
    const convolved = this.op("Conv", [input, kernel], { strides: [stride, stride], pads: [1, 1, 1, 1] })
    return this.op("Relu", [convolved])
  }

  /** The file; the output is called `y`. */
  finish(input: TensorShape, result: string, dims: ReadonlyArray<Dim>): Uint8Array {
    return model({
      nodes: [...this.#nodes, node("Identity", [result], ["y"])],
      initializers: this.#initializers,
      inputs: [value(input.name, elementType[input.datatype], input.dims)],
      outputs: [value("y", elementType.FP32, dims)],
    })
  }
}
