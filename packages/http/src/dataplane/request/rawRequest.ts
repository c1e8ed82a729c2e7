/** A V2 request without JSON: the body is the elements of the model's only input. */
import type { Dimension, Signature, TensorSpec } from "@modelforge/core"
import { byteWidth, elementCount } from "@modelforge/core"
import { Result } from "effect"
import { binaryForms } from "../response/outputForms.ts"
import { fromBytes } from "./binaryTensor.ts"
import { refuse } from "./inferParameters.ts"
import type { InferRequest } from "./inferRequest.ts"
import { readSchedule } from "./schedule.ts"

const isFree = (dimension: Dimension) => typeof dimension !== "number" || dimension === -1

/** The shape that so many elements make; undefined when the signature leaves more than that open. */
const shapeOf = ({ shape }: TensorSpec, count: number): ReadonlyArray<number> | undefined => {
  // A free dimension in front of others is the batch, and a raw request is one row.
  const batched = shape.map((size, axis) => (axis === 0 && shape.length > 1 && isFree(size) ? 1 : size))
  if (batched.filter(isFree).length > 1) return undefined
  const fixed = elementCount(batched.map((size) => (isFree(size) ? 1 : Number(size))))
  return batched.map((size) => (isFree(size) ? count / fixed : Number(size)))
}

/** All outputs are answered as bytes. Throws a `BadRequestProblem`. */
export const readRaw = (signature: Signature, body: Uint8Array): InferRequest => {
  const [spec, ...others] = signature.inputs
  if (spec === undefined || others.length > 0)
    throw refuse(
      "body",
      `a raw request is for models of one input, and this one has ${signature.inputs.length}`,
    )
  const path = `inputs.${spec.name}`
  const isText = spec.datatype === "BYTES"
  const shape = shapeOf(spec, isText ? 1 : body.length / byteWidth[spec.datatype])
  if (shape === undefined)
    throw refuse(path, "a raw request is for inputs with one free dimension at most beside the batch")
  if (!shape.every(Number.isInteger))
    throw refuse(
      path,
      `unexpected size for input: ${body.length} bytes make no whole number of ${spec.datatype} rows`,
    )
  const read = isText
    ? Result.succeed({ datatype: "BYTES" as const, shape, data: [body] })
    : fromBytes(spec.datatype, shape, body)
  if (Result.isFailure(read)) throw refuse(path, `unexpected size for input: ${read.failure}`)
  return {
    id: undefined,
    inputs: { [spec.name]: read.success },
    outputs: [],
    forms: binaryForms,
    schedule: readSchedule(undefined, refuse),
  }
}
