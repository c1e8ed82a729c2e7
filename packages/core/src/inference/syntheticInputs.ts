/** Made-up inputs that fit a signature, for warming a model up and for finding out what it can do. */
import { byteWidth } from "../model/byteWidth.ts"
import type { Signature, TensorSpec } from "../model/Signature.ts"
import { allocate, elementCount, type Tensor, type Tensors } from "../model/Tensor.ts"
import { toBF16, toFP16 } from "../tensors/halfFloat.ts"

/** Inputs beyond this many bytes are not made up. */
const maxInputBytes = 64 * 2 ** 20

/** A small generator with a fixed start: the same inputs on every load. */
const random = (seed: number) => {
  // Neighbouring seeds would begin with values too close to tell rows apart by.
  let state = Math.imul(seed, 2654435761)
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/**
 * Floats between 0 and 1; zeros and ones for everything else, which indices and masks survive. The next seed gives
 * another value everywhere, and another sum, so that rows can be told apart by either.
 */
const elements = (datatype: Tensor["datatype"], count: number, seed: number): Tensor["data"] => {
  const next = random(seed)
  const rare = (seed + 1) % 2
  const bit = (index: number) => (index % 4 === 3 ? rare : 1 - rare)
  switch (datatype) {
    case "FP32":
    case "FP64":
      return allocate[datatype](count).map(next)
    case "FP16":
      return allocate[datatype](count).map(() => toFP16(next()))
    case "BF16":
      return allocate[datatype](count).map(() => toBF16(next()))
    case "INT64":
    case "UINT64":
      return allocate[datatype](count).map((_, index) => BigInt(bit(index)))
    case "BYTES":
      return Array.from({ length: count }, (_, index) => new Uint8Array(bit(index)).fill(0x61))
    default:
      return allocate[datatype](count).map((_, index) => bit(index))
  }
}

const fill = ({ datatype, shape }: TensorSpec, seed: number, innerSize: number): Tensor | undefined => {
  const sizes = shape.map((size, axis) => {
    if (typeof size === "number" && size >= 0) return size
    return axis === 0 ? 1 : innerSize
  })
  const count = elementCount(sizes)
  if (count * (datatype === "BYTES" ? 64 : byteWidth[datatype]) > maxInputBytes) return undefined
  // `elements` pairs each datatype with its array; the compiler does not follow the pair through the union.
  return { datatype, shape: sizes, data: elements(datatype, count, seed) } as Tensor
}

/**
 * One row of inputs, the other dimensions without a fixed size being `innerSize`; undefined when an input would be
 * too large. Seeds 1 and 2 give inputs that differ in every element, but for what rounding to 16 bits makes equal.
 */
export const syntheticInputs = ({ inputs }: Signature, seed: number, innerSize = 1): Tensors | undefined => {
  const tensors: Record<string, Tensor> = {}
  for (const [index, spec] of inputs.entries()) {
    const tensor = fill(spec, seed + 2 * index, innerSize)
    if (tensor === undefined) return undefined
    tensors[spec.name] = tensor
  }
  return tensors
}
