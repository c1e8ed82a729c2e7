/** Tensors as JSON text. Numbers are joined by the engine's own `join`, the fastest way to write an array. */
import { RunFailedProblem } from "@modelforge/api"
import { fromBF16, fromFP16, type Tensor } from "@modelforge/core"

/** A leading U+FEFF is a character like any other. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const bytesText = (element: Uint8Array, name: string): string => {
  try {
    return JSON.stringify(utf8.decode(element))
  } catch {
    throw new RunFailedProblem({
      detail: `Output "${name}" holds bytes that are not UTF-8 text, which JSON can't carry`,
    })
  }
}

/** The elements from `start` to `end`, separated by commas; NaN and infinities are bare words. */
const elements = (tensor: Tensor, start: number, end: number, name: string): string => {
  switch (tensor.datatype) {
    case "BOOL":
      return Array.from(tensor.data.subarray(start, end), (bit) => bit !== 0).join(",")
    case "FP16":
      return Array.from(tensor.data.subarray(start, end), fromFP16).join(",")
    case "BF16":
      return Array.from(tensor.data.subarray(start, end), fromBF16).join(",")
    case "BYTES":
      return tensor.data
        .slice(start, end)
        .map((element) => bytesText(element, name))
        .join(",")
    default:
      return tensor.data.subarray(start, end).join(",")
  }
}

/** All elements in row-major order, as V2 has them. NaN and infinities are bare words, as Triton writes them. */
export const flatJson = (tensor: Tensor, name: string): string =>
  `[${elements(tensor, 0, tensor.data.length, name)}]`

const isFloat = (tensor: Tensor) => tensor.datatype.startsWith("FP") || tensor.datatype === "BF16"

/** Elements nested along the shape. NaN and infinities are strings, so that the text is JSON. */
export const nestedJson = (tensor: Tensor, name: string): string => {
  const mayHoldWords = isFloat(tensor)
  const row = (start: number, end: number): string => {
    const text = elements(tensor, start, end, name)
    return mayHoldWords && /[NI]/.test(text) ? text.replace(/-?(?:NaN|Infinity)/g, '"$&"') : text
  }
  const { shape } = tensor
  const build = (axis: number, start: number, end: number): string => {
    const size = shape[axis]
    if (size === undefined) return row(start, end)
    if (axis === shape.length - 1) return `[${row(start, end)}]`
    const stride = size === 0 ? 0 : (end - start) / size
    const parts = Array.from({ length: size }, (_, index) =>
      build(axis + 1, start + index * stride, start + (index + 1) * stride),
    )
    return `[${parts.join(",")}]`
  }
  return build(0, 0, tensor.data.length)
}
