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

/** Elements that are written in one go: less than a millisecond. */
const partElements = 8192

/** Whether writing a tensor takes so long that others should be served meanwhile. */
export const isLarge = ({ data }: Tensor): boolean => data.length > partElements

/** `flatJson` in parts. */
export function* flatParts(tensor: Tensor, name: string): Generator<string> {
  yield "["
  for (let at = 0; at < tensor.data.length; at += partElements)
    yield `${at === 0 ? "" : ","}${elements(tensor, at, Math.min(at + partElements, tensor.data.length), name)}`
  yield "]"
}

/** All elements in row-major order, as V2 has them. NaN and infinities are bare words, as Triton writes them. */
export const flatJson = (tensor: Tensor, name: string): string =>
  `[${elements(tensor, 0, tensor.data.length, name)}]`

const isFloat = (tensor: Tensor) => tensor.datatype.startsWith("FP") || tensor.datatype === "BF16"

/** Writes stretches of a tensor nested along its shape. */
const nester = (tensor: Tensor, name: string) => {
  const mayHoldWords = isFloat(tensor)
  const { shape } = tensor
  const row = (start: number, end: number): string => {
    const text = elements(tensor, start, end, name)
    return mayHoldWords && /[NI]/.test(text) ? text.replace(/-?(?:NaN|Infinity)/g, '"$&"') : text
  }
  /** What lies between the brackets of `axis` for its entries from `start` on, each of `stride` elements. */
  const entries = (axis: number, count: number, start: number, stride: number): string =>
    axis === shape.length - 1
      ? row(start, start + count)
      : Array.from({ length: count }, (_, index) => {
          const at = start + index * stride
          return build(axis + 1, at, at + stride)
        }).join(",")
  const build = (axis: number, start: number, end: number): string => {
    const size = shape[axis]
    if (size === undefined) return row(start, end)
    return `[${entries(axis, size, start, size === 0 ? 0 : (end - start) / size)}]`
  }
  return { entries, build }
}

/** `nestedJson` in parts. */
export function* nestedParts(tensor: Tensor, name: string): Generator<string> {
  const { shape } = tensor
  const { entries, build } = nester(tensor, name)
  function* parts(axis: number, start: number, end: number): Generator<string> {
    const size = shape[axis]
    if (size === undefined || end - start <= partElements) {
      yield build(axis, start, end)
      return
    }
    const stride = (end - start) / size
    const atOnce = Math.floor(partElements / stride)
    yield "["
    for (let index = 0; index < size; index += Math.max(1, atOnce)) {
      if (index > 0) yield ","
      const at = start + index * stride
      if (atOnce === 0) yield* parts(axis + 1, at, at + stride)
      else yield entries(axis, Math.min(atOnce, size - index), at, stride)
    }
    yield "]"
  }
  yield* parts(0, 0, tensor.data.length)
}

/** Elements nested along the shape. NaN and infinities are strings, so that the text is JSON. */
export const nestedJson = (tensor: Tensor, name: string): string =>
  nester(tensor, name).build(0, 0, tensor.data.length)
