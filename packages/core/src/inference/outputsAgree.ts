/** Whether two runs gave the same. */
import type { Datatype } from "../model/Datatype.ts"
import type { Tensor, Tensors } from "../model/Tensor.ts"
import { fromBF16, fromFP16 } from "../tensors/halfFloat.ts"

/** How floats are read, and what another order of additions may make of them, absolute and relative. */
interface Tolerance {
  readonly read: (element: number) => number
  readonly absolute: number
  readonly relative: number
}

const asItIs = (element: number) => element

/** Twice the step between two neighbouring numbers near 1, and for wider floats what sums of many terms gather. */
const tolerances: { readonly [D in Datatype]?: Tolerance } = {
  FP16: { read: fromFP16, absolute: 2 ** -9, relative: 2 ** -9 },
  BF16: { read: fromBF16, absolute: 2 ** -6, relative: 2 ** -6 },
  FP32: { read: asItIs, absolute: 1e-6, relative: 1e-5 },
  FP64: { read: asItIs, absolute: 1e-6, relative: 1e-5 },
}

type Element = number | bigint | Uint8Array | undefined

const elementsAgree = (a: Element, b: Element, tolerance: Tolerance | undefined): boolean => {
  if (typeof a === "number" && typeof b === "number" && tolerance !== undefined) {
    const [x, y] = [tolerance.read(a), tolerance.read(b)]
    if (!Number.isFinite(x) || !Number.isFinite(y)) return Object.is(x, y)
    return Math.abs(x - y) <= tolerance.absolute + tolerance.relative * Math.abs(y)
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array)
    return a.length === b.length && a.every((byte, at) => byte === b[at])
  return a === b
}

const tensorsAgree = (a: Tensor | undefined, b: Tensor | undefined): boolean => {
  if (a === undefined || b === undefined || a.datatype !== b.datatype) return false
  if (a.shape.length !== b.shape.length || a.shape.some((size, axis) => size !== b.shape[axis])) return false
  const tolerance = tolerances[b.datatype]
  for (let index = 0; index < b.data.length; index++)
    if (!elementsAgree(a.data[index], b.data[index], tolerance)) return false
  return true
}

/** Whether all outputs named are there and equal; floats, but for what another order of additions makes. */
export const outputsAgree = (a: Tensors, b: Tensors, names: ReadonlyArray<string>): boolean =>
  names.every((name) => tensorsAgree(a[name], b[name]))
