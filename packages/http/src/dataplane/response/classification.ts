/** Triton's classification: of an output only the greatest elements, each as the text `value:index`. */
import { BadRequestProblem } from "@modelforge/api"
import {
  fromBF16,
  fromFP16,
  type Signature,
  type Tensor,
  type TensorOf,
  type TensorSpec,
} from "@modelforge/core"
import { Predicate } from "effect"
import { refuse } from "../request/inferParameters.ts"
import type { OutputForms } from "./outputForms.ts"

/** Each is an array of its own, many times its bytes. */
const maxResults = 1_048_576

/** Refuses to classify what has no order, before anything is run. Names that are no output's are not its business. */
export const refuseUnclassifiable = (signature: Signature, { listed }: OutputForms): void => {
  for (const [name, { classes }] of listed) {
    const spec = classes === undefined ? undefined : signature.outputs.find((output) => output.name === name)
    if (spec?.datatype === "BYTES" || spec?.datatype === "BOOL")
      throw refuse("outputs", `classification is for numbers, and output "${name}" is ${spec.datatype}`)
  }
}

type Values = ArrayLike<number> | ArrayLike<bigint>

const valuesOf = (tensor: Tensor): Values => {
  switch (tensor.datatype) {
    case "FP16":
      return Float32Array.from(tensor.data, fromFP16)
    case "BF16":
      return Float32Array.from(tensor.data, fromBF16)
    case "BYTES":
      throw new Error("unclassifiable outputs are refused before the run; this is a bug")
    default:
      return tensor.data
  }
}

/** Greater first; what is not a number is less than all others. */
const precedes = (a: number | bigint, b: number | bigint) => a > b || (Number.isNaN(b) && !Number.isNaN(a))

/** Indices of the `k` greatest of the elements from `start` to `end`, the first of equal ones first. */
const greatest = (values: Values, start: number, end: number, k: number): ReadonlyArray<number> => {
  const best: Array<number> = []
  const before = (value: number | bigint, at: number) => precedes(value, values[best[at] ?? 0] ?? 0)
  for (let index = start; index < end; index++) {
    const value = values[index] ?? 0
    if (best.length === k && !before(value, k - 1)) continue
    let low = 0
    let high = best.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (before(value, middle)) high = middle
      else low = middle + 1
    }
    best.splice(low, 0, index)
    if (best.length > k) best.pop()
  }
  return best
}

/** As C's `%f` writes it, which is how Triton does. */
const sixDecimals = (value: number): string => {
  if (Number.isNaN(value)) return "nan"
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf"
  // From here on `toFixed` changes to exponents, and there are no decimals any more.
  return Math.abs(value) >= 1e21 ? `${BigInt(value)}.000000` : value.toFixed(6)
}

const encoder = new TextEncoder()

const isBatched = ({ shape: [first, ...others] }: TensorSpec) =>
  others.length > 0 && (Predicate.isString(first) || first === -1)

/** `[k]`, or `[batch, k]` where the output's first dimension is free and not its only one. `k` is at most what is there. */
export const classify = (tensor: Tensor, spec: TensorSpec, classes: number): TensorOf<"BYTES"> => {
  const values = valuesOf(tensor)
  const batch = isBatched(spec) ? (tensor.shape[0] ?? 0) : 1
  const row = batch === 0 ? 0 : values.length / batch
  const k = Math.min(classes, row)
  if (batch * k > maxResults)
    throw new BadRequestProblem({
      detail: `The classification of output "${spec.name}" has ${batch * k} elements, more than the ${maxResults} that are given`,
    })
  const isFloat = /^(?:FP|BF)/.test(tensor.datatype)
  const data: Array<Uint8Array> = []
  for (let start = 0; data.length < batch * k; start += row)
    for (const index of greatest(values, start, start + row, k)) {
      const value = values[index] ?? 0
      data.push(encoder.encode(`${isFloat ? sixDecimals(Number(value)) : value}:${index - start}`))
    }
  return { datatype: "BYTES", shape: isBatched(spec) ? [batch, k] : [k], data }
}
