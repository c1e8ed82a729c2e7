/** Models of any size that cost nothing to make. */
import * as onnx from "../../../onnx/test/onnxFile.ts"

export const megabyte = new Uint8Array(1024 * 1024)

/** A model with one initializer of so many MiB of zeros, of which it gives the shape, piece by piece. */
export function* largeModel(mebibytes: number) {
  const size = mebibytes * megabyte.length
  const { elementType: type } = onnx
  const head = onnx.concat(
    onnx.int(1, size),
    onnx.int(2, type.UINT8),
    onnx.bytes(8, "w"),
    onnx.varint(9 * 8 + 2),
    onnx.varint(size),
  )
  const initializer = onnx.concat(onnx.varint(5 * 8 + 2), onnx.varint(head.length + size), head)
  const rest = onnx.graph({
    nodes: [onnx.node("Shape", ["w"], ["y"])],
    outputs: [onnx.value("y", type.INT64, [1])],
  })
  const graph = onnx.varint(initializer.length + size + rest.length)
  yield onnx.concat(onnx.int(1, 8), onnx.opset("", 17), onnx.varint(7 * 8 + 2), graph, initializer)
  for (let sent = 0; sent < mebibytes; sent++) yield megabyte
  yield rest
}
