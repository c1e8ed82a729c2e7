/** An operator's sample of a model's inputs, as plain JSON in the model's config. */
import { Result } from "effect"
import type { InputIssue } from "../model/InputIssue.ts"
import type { Signature } from "../model/Signature.ts"
import type { Tensors } from "../model/Tensor.ts"
import { checkInputs } from "./checkInputs.ts"
import { readNested } from "./nestedInputs.ts"

/** The sample as tensors; else the first thing that does not fit the signature, with its path from `inputs` on. */
export const readWarmUpSample = (
  signature: Signature,
  sample: Readonly<Record<string, unknown>>,
): Result.Result<Tensors, InputIssue> => {
  const { tensors, issues } = readNested(signature, sample)
  const [issue] = issues.length > 0 ? issues : checkInputs(signature, tensors, [])
  return issue === undefined ? Result.succeed(tensors) : Result.fail(issue)
}
