/** Made-up inputs that fit a signature, for warming a model up and for finding out what it can do. */
import { byteWidth } from "../model/Datatype.ts"
import type { Signature, TensorSpec } from "../model/Signature.ts"
import { allocate, elementCount, type Tensor, type Tensors } from "../model/Tensor.ts"

/** Inputs beyond this many bytes are not made up. */
const maxInputBytes = 64 * 2 ** 20

/** A small generator with a fixed start: the same inputs on every load. */
const random = (seed: number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Floats between 0 and 1; zeros for everything else, which indices and masks survive. */
const fill = ({ datatype, shape }: TensorSpec, next: () => number): Tensor | undefined => {
  const sizes = shape.map((size) => (typeof size === "number" && size >= 0 ? size : 1))
  const count = elementCount(sizes)
  if (count * (datatype === "BYTES" ? 64 : byteWidth[datatype]) > maxInputBytes) return undefined
  if (datatype === "BYTES")
    return { datatype, shape: sizes, data: Array.from({ length: count }, () => new Uint8Array(0)) }
  if (datatype === "FP32") return { datatype, shape: sizes, data: Float32Array.from({ length: count }, next) }
  if (datatype === "FP64") return { datatype, shape: sizes, data: Float64Array.from({ length: count }, next) }
  // `allocate` pairs each datatype with its array; the compiler does not follow the pair through the union.
  return { datatype, shape: sizes, data: allocate[datatype](count) } as Tensor
}

/** One row of inputs, every dimension without a fixed size being 1; undefined when an input would be too large. */
export const syntheticInputs = ({ inputs }: Signature, seed: number): Tensors | undefined => {
  const next = random(seed)
  const tensors: Record<string, Tensor> = {}
  for (const spec of inputs) {
    const tensor = fill(spec, next)
    if (tensor === undefined) return undefined
    tensors[spec.name] = tensor
  }
  return tensors
}
