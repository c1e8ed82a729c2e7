/**
 * Large bodies that are not plainly a request, read as small ones are: as values, and these as tensors. What comes of
 * it is plain data, refusals too, for it may have to go to another thread.
 */
import { BadRequestProblem, InvalidRequestProblem, UnsupportedFeatureProblem } from "@modelforge/api"
import { emptyTensors, type InputIssue, nestedInputs, type Tensor, type Tensors } from "@modelforge/core"
import type { Signature } from "@modelforge/core/model"
import { Result, Schema } from "effect"
import { isProblem, type Problem } from "../../problems.ts"
import { parseBody } from "../json/body.ts"
import { readInferBody } from "../request/inferBody.ts"
import type { InferRequest } from "../request/inferRequest.ts"
import { type PredictMembers, readPredict } from "../request/predict.ts"

/** A problem as it is sent. */
export interface Refused {
  readonly as: "refused"
  readonly problem: unknown
}

/** Tensors by name. As an object they would get a prototype on the way to another thread. */
type Entries = ReadonlyArray<readonly [string, Tensor]>

export interface ReadPredict {
  readonly as: "whole"
  readonly members: Omit<PredictMembers, "inputs">
  readonly inputs: Entries
  /** What is wrong with inputs; without a signature none was looked at. */
  readonly issues: ReadonlyArray<InputIssue>
}

export interface ReadInfer {
  readonly as: "whole"
  readonly members: Omit<InferRequest, "inputs">
  readonly inputs: Entries
}

const problems = Schema.Union([BadRequestProblem, InvalidRequestProblem, UnsupportedFeatureProblem])

export const problemOf: (refused: Refused) => Problem = ({ problem }) =>
  Schema.decodeUnknownSync(problems)(problem)

export const fromEntries = (entries: Entries): Tensors => {
  const tensors = emptyTensors()
  for (const [name, tensor] of entries) tensors[name] = tensor
  return tensors
}

const orRefused = <A>(read: () => A): A | Refused => {
  try {
    return read()
  } catch (error) {
    if (isProblem(error)) return { as: "refused", problem: JSON.parse(JSON.stringify(error)) }
    throw error
  }
}

/** What `nestedInputs` says of inputs that do not fit. */
const issuesOf = (read: ReturnType<typeof nestedInputs>): ReadonlyArray<InputIssue> =>
  Result.isFailure(read) && read.failure.reason._tag === "InvalidInputs" ? read.failure.reason.issues : []

/** Without a signature only what is beside the inputs is read. */
export const readWholePredict = (
  bytes: Uint8Array,
  signature: Signature | undefined,
): ReadPredict | Refused =>
  orRefused(() => {
    const body = parseBody(bytes)
    const { inputs, ...members } = readPredict(
      signature === undefined ? body.value : body.exactFor(signature),
    )
    if (signature === undefined) return { as: "whole", members, inputs: [], issues: [] }
    const read = nestedInputs({ model: "", signature }, inputs)
    return {
      as: "whole",
      members,
      inputs: Result.isSuccess(read) ? Object.entries(read.success) : [],
      issues: issuesOf(read),
    }
  })

/** Tensors that are given as bytes lie in `bytes`. */
export const readWholeInfer = (
  bytes: Uint8Array,
  signature: Signature,
  jsonLength: number | undefined,
): ReadInfer | Refused =>
  orRefused(() => {
    const { inputs, ...members } = readInferBody(signature, bytes, jsonLength)
    return { as: "whole", members, inputs: Object.entries(inputs) }
  })
