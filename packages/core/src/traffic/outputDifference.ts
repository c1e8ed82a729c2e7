/** How far the answers of two versions are apart. */
import type { Tensor, Tensors } from "../model/Tensor.ts"
import { fromBF16, fromFP16 } from "../tensors/halfFloat.ts"

export interface OutputDifference {
  /** Largest absolute difference of floats; undefined where there were none. */
  readonly difference: number | undefined
  /** Share of the elements of other datatypes that are not equal; undefined where there were none. */
  readonly unequal: number | undefined
}

interface Tally {
  difference: number | undefined
  elements: number
  unequal: number
}

const asItIs = (element: number) => element

/** False as soon as two elements can't be told apart by a number. */
const tallyFloats = (
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  read: (element: number) => number,
  tally: Tally,
): boolean => {
  let largest = tally.difference ?? 0
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [read(a[i] ?? 0), read(b[i] ?? 0)]
    if (Object.is(x, y)) continue
    const distance = Math.abs(x - y)
    if (!Number.isFinite(distance)) return false
    if (distance > largest) largest = distance
  }
  tally.difference = largest
  return true
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index])

const sameElement = (a: unknown, b: unknown): boolean =>
  a instanceof Uint8Array && b instanceof Uint8Array ? sameBytes(a, b) : a === b

const tallyOthers = (a: ArrayLike<unknown>, b: ArrayLike<unknown>, tally: Tally): boolean => {
  for (let i = 0; i < a.length; i++) if (!sameElement(a[i], b[i])) tally.unequal++
  tally.elements += a.length
  return true
}

const sameShape = (a: Tensor, b: Tensor): boolean =>
  a.shape.length === b.shape.length && a.shape.every((size, axis) => size === b.shape[axis])

const tallyTensors = (a: Tensor, b: Tensor, tally: Tally): boolean => {
  if (a.datatype !== b.datatype || !sameShape(a, b)) return false
  if (a.datatype === "FP32" && b.datatype === "FP32") return tallyFloats(a.data, b.data, asItIs, tally)
  if (a.datatype === "FP64" && b.datatype === "FP64") return tallyFloats(a.data, b.data, asItIs, tally)
  if (a.datatype === "FP16" && b.datatype === "FP16") return tallyFloats(a.data, b.data, fromFP16, tally)
  if (a.datatype === "BF16" && b.datatype === "BF16") return tallyFloats(a.data, b.data, fromBF16, tally)
  return tallyOthers(a.data, b.data, tally)
}

/**
 * Over the outputs that both have. Undefined when they have none in common, or when two of one name have other
 * datatypes, shapes, NaN or infinities.
 */
export const outputDifference = (a: Tensors, b: Tensors): OutputDifference | undefined => {
  const tally: Tally = { difference: undefined, elements: 0, unequal: 0 }
  let common = 0
  for (const [name, tensor] of Object.entries(a)) {
    const other = Object.hasOwn(b, name) ? b[name] : undefined
    if (other === undefined) continue
    common++
    if (!tallyTensors(tensor, other, tally)) return undefined
  }
  if (common === 0) return undefined
  const { difference, elements, unequal } = tally
  return { difference, unequal: elements === 0 ? undefined : unequal / elements }
}
