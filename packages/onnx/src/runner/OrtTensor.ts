/** Tensors as ONNX Runtime takes and gives them. */
import type { Tensor } from "@modelforge/core"
import type * as Ort from "onnxruntime-node"

/** A tensor that ONNX Runtime can't carry, in words for people. */
class UnrunnableTensor extends Error {
  override readonly name = "UnrunnableTensor"
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Strings pass through C strings on their way into the runtime, so a NUL would silently end them. */
const toText = (element: Uint8Array, name: string): string => {
  try {
    const text = strict.decode(element)
    if (!text.includes("\0")) return text
  } catch {
    throw new UnrunnableTensor(`input "${name}" has an element that is not UTF-8 text; a model can't take it`)
  }
  throw new UnrunnableTensor(`input "${name}" has an element with a NUL character; a model can't take it`)
}

export const toOrt = (ort: typeof Ort, name: string, tensor: Tensor): Ort.Tensor => {
  const { shape } = tensor
  switch (tensor.datatype) {
    case "BYTES":
      return new ort.Tensor(
        "string",
        tensor.data.map((element) => toText(element, name)),
        shape,
      )
    case "FP16": {
      const made = new ort.Tensor("float16", tensor.data, shape)
      // Where JavaScript has Float16Array the constructor converts to it, which the native side of 1.30 takes for
      // an empty array. It reads `data`, and does understand the raw bits.
      Object.defineProperty(made, "data", { value: tensor.data })
      return made
    }
    case "BF16":
      throw new UnrunnableTensor(`input "${name}" is BF16, which onnxruntime-node can't carry`)
    case "BOOL":
      return new ort.Tensor("bool", tensor.data, shape)
    case "UINT8":
      return new ort.Tensor("uint8", tensor.data, shape)
    case "UINT16":
      return new ort.Tensor("uint16", tensor.data, shape)
    case "UINT32":
      return new ort.Tensor("uint32", tensor.data, shape)
    case "UINT64":
      return new ort.Tensor("uint64", tensor.data, shape)
    case "INT8":
      return new ort.Tensor("int8", tensor.data, shape)
    case "INT16":
      return new ort.Tensor("int16", tensor.data, shape)
    case "INT32":
      return new ort.Tensor("int32", tensor.data, shape)
    case "INT64":
      return new ort.Tensor("int64", tensor.data, shape)
    case "FP32":
      return new ort.Tensor("float32", tensor.data, shape)
    case "FP64":
      return new ort.Tensor("float64", tensor.data, shape)
  }
}

/** `type` decides which array `data` is; the runtime's types do not say so. */
export const fromOrt = (name: string, tensor: Ort.Tensor): Tensor => {
  const shape = tensor.dims
  const { data } = tensor
  if (tensor.type === "string" && Array.isArray(data)) {
    return { datatype: "BYTES", shape, data: data.map((text) => Buffer.from(String(text), "utf8")) }
  }
  if (tensor.type === "float16" && ArrayBuffer.isView(data)) {
    return { datatype: "FP16", shape, data: new Uint16Array(data.buffer, data.byteOffset, data.length) }
  }
  if (tensor.type === "bool" && data instanceof Uint8Array) return { datatype: "BOOL", shape, data }
  if (data instanceof Float32Array) return { datatype: "FP32", shape, data }
  if (data instanceof BigInt64Array) return { datatype: "INT64", shape, data }
  if (data instanceof Int32Array) return { datatype: "INT32", shape, data }
  if (data instanceof Float64Array) return { datatype: "FP64", shape, data }
  if (data instanceof Uint8Array) return { datatype: "UINT8", shape, data }
  if (data instanceof Int8Array) return { datatype: "INT8", shape, data }
  if (data instanceof Uint16Array) return { datatype: "UINT16", shape, data }
  if (data instanceof Int16Array) return { datatype: "INT16", shape, data }
  if (data instanceof Uint32Array) return { datatype: "UINT32", shape, data }
  if (data instanceof BigUint64Array) return { datatype: "UINT64", shape, data }
  throw new UnrunnableTensor(`output "${name}" has elements of type ${tensor.type}, which can't be served`)
}
