/** A model that takes as long as its caller wants: it loops `n` times over the sine of `x`. */
import * as onnx from "../../../onnx/test/onnxFile.ts"

const { elementType: type } = onnx

const body = onnx.graph({
  name: "body",
  nodes: [onnx.node("Identity", ["go_in"], ["go_out"]), onnx.node("Sin", ["v_in"], ["v_out"])],
  inputs: [
    onnx.value("i", type.INT64, []),
    onnx.value("go_in", type.BOOL, []),
    onnx.value("v_in", type.FP32, ["k"]),
  ],
  outputs: [onnx.value("go_out", type.BOOL, []), onnx.value("v_out", type.FP32, ["k"])],
})

export const slowModel = onnx.model({
  nodes: [onnx.node("Loop", ["n", "go", "x"], ["y"], { attributes: [onnx.attributeGraph("body", body)] })],
  initializers: [onnx.tensor("go", type.BOOL, [], onnx.rawData(Uint8Array.of(1)))],
  inputs: [onnx.value("n", type.INT64, []), onnx.value("x", type.FP32, ["k"])],
  outputs: [onnx.value("y", type.FP32, ["k"])],
})
