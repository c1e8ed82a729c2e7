/** A model to draw, of any size. */
import * as onnx from "../onnxFile.ts"

const { elementType: type } = onnx

const block = ["MatMul", "Add", "Relu", "LayerNormalization", "Mul", "Softmax", "Transpose"]

/** A chain of `count` nodes in blocks of seven, each with a weight and a declared type, and a line past three nodes. */
export const chain = (count: number): Uint8Array => {
  const weights: Array<Uint8Array> = []
  const types: Array<Uint8Array> = []
  const nodes = Array.from({ length: count }, (_, at) => {
    const operator = block[at % block.length] ?? ""
    const skips = operator === "Mul" && at > 4
    if (!skips) weights.push(onnx.tensor(`w${at}`, type.FP32, [4, 4]))
    types.push(onnx.bytes(13, onnx.value(`t${at}`, type.FP32, ["n", 4])))
    return onnx.node(
      operator,
      [at === 0 ? "x" : `t${at - 1}`, skips ? `t${at - 4}` : `w${at}`],
      [at === count - 1 ? "y" : `t${at}`],
      {
        name: `/layers/layer.${Math.floor(at / block.length)}/node.${at}`,
        attributes: [onnx.attributeInt("axis", at)],
      },
    )
  })
  return onnx.model({
    nodes,
    initializers: weights,
    inputs: [onnx.value("x", type.FP32, ["n", 4])],
    outputs: [onnx.value("y", type.FP32, ["n", 4])],
    rest: types,
  })
}
