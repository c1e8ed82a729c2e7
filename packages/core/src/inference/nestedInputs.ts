/** Inputs as people write them, as tensors of a signature's datatypes. */
import { Result } from "effect"
import type { InputIssue } from "../model/InputIssue.ts"
import type { Signature } from "../model/Signature.ts"
import { emptyTensors, type Tensor, type Tensors } from "../model/Tensor.ts"
import { fromNested } from "../tensors/nested.ts"
import { InferenceError, InvalidInputs } from "./InferenceError.ts"

const isTensor = (value: unknown): value is Tensor =>
  typeof value === "object" && value !== null && "datatype" in value && "data" in value

/** What can be read of the inputs as they are written, and what is wrong with the others. */
export const readNested = (
  signature: Signature,
  inputs: Readonly<Record<string, unknown>>,
  accept: { readonly tensors: boolean } = { tensors: false },
): { readonly tensors: Tensors; readonly issues: ReadonlyArray<InputIssue> } => {
  const tensors = emptyTensors()
  const issues: Array<InputIssue> = []
  for (const [name, value] of Object.entries(inputs)) {
    if (accept.tensors && isTensor(value)) {
      tensors[name] = value
      continue
    }
    const spec = signature.inputs.find((input) => input.name === name)
    // An unknown input is refused by its name; its values don't matter.
    const read = fromNested(spec?.datatype ?? "BYTES", spec === undefined ? "" : value, `inputs.${name}`)
    if (Result.isSuccess(read)) tensors[name] = read.success
    else issues.push(read.failure)
  }
  return { tensors, issues }
}

/**
 * Each value becomes a tensor: nested arrays along their nesting, a bare value as a scalar, a `Tensor` as it is.
 * Fails with `InvalidInputs`. Whether names and shapes fit is for `Inference.run` to check, which sees all inputs.
 */
export const nestedInputs = (
  { model, signature }: { readonly model: string; readonly signature: Signature },
  inputs: Readonly<Record<string, unknown>>,
  accept?: { readonly tensors: boolean },
): Result.Result<Tensors, InferenceError> => {
  const { tensors, issues } = readNested(signature, inputs, accept)
  const [first, ...more] = issues
  return first === undefined
    ? Result.succeed(tensors)
    : Result.fail(new InferenceError({ reason: new InvalidInputs({ model, issues: [first, ...more] }) }))
}
