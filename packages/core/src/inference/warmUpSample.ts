/** An operator's sample of a model's inputs, as plain JSON in the model's config. */
import { Result } from "effect"
import type { InputIssue } from "../model/InputIssue.ts"
import type { Signature } from "../model/Signature.ts"
import { emptyTensors, type Tensors } from "../model/Tensor.ts"
import { fromNested } from "../tensors/nested.ts"
import { checkInputs } from "./checkInputs.ts"

/** The sample as tensors; else the first thing that does not fit the signature, with its path from `inputs` on. */
export const readWarmUpSample = (
  signature: Signature,
  sample: Readonly<Record<string, unknown>>,
): Result.Result<Tensors, InputIssue> => {
  const tensors = emptyTensors()
  for (const [name, value] of Object.entries(sample)) {
    const spec = signature.inputs.find((input) => input.name === name)
    // What the signature does not have only needs to be there for the check below, which names it.
    const read = fromNested(spec?.datatype ?? "BYTES", spec === undefined ? "" : value, `inputs.${name}`)
    if (Result.isFailure(read)) return Result.fail(read.failure)
    tensors[name] = read.success
  }
  const [issue] = checkInputs(signature, tensors, [])
  return issue === undefined ? Result.succeed(tensors) : Result.fail(issue)
}
