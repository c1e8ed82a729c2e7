/** From the bytes of a large body to what it asks for, by way of a `BodyReader`. */
import {
  type CallerSignal,
  InferenceError,
  type InputIssue,
  InvalidInputs,
  nestedInputs,
  type Route,
  type Tensors,
} from "@modelforge/core"
import type { Signature } from "@modelforge/core/model"
import { Result } from "effect"
import { noBinary } from "../request/binarySection.ts"
import { readInferValue } from "../request/inferBody.ts"
import type { InferRequest } from "../request/inferRequest.ts"
import { type PredictMembers, readPredict } from "../request/predict.ts"
import { bodyLength, type RequestBody } from "../request/requestBody.ts"
import type { BodyReaderService } from "./BodyReader.ts"
import type { PredictReply } from "./readBody.ts"
import { ScannedData } from "./ScannedData.ts"
import { fromEntries, problemOf } from "./wholeBody.ts"

/** Bytes of JSON from which on a body is large: below, handing it to a thread and back costs more than reading it. */
const largeBytes = 64 * 1024

export interface PredictRequest extends Omit<PredictMembers, "inputs"> {
  readonly to: Route
  readonly inputs: Tensors
}

export const isLarge = (body: RequestBody, jsonLength?: number | undefined): boolean => {
  const length = bodyLength(body)
  return length > largeBytes && (jsonLength ?? length) > largeBytes
}

/** V2. Throws the problem with the request. */
export const readLargeInfer = async (
  reader: BodyReaderService,
  signature: Signature,
  body: RequestBody,
  jsonLength: number | undefined,
  signal: CallerSignal,
): Promise<InferRequest> => {
  const reply = await reader.infer({ kind: "infer", body, signature, jsonLength }, signal)
  if (reply.as === "refused") throw problemOf(reply)
  if (reply.as === "whole") return { ...reply.members, inputs: fromEntries(reply.inputs) }
  const { inputs } = reply.value as { readonly inputs: Record<string | number, { data: unknown }> }
  for (const [index, tensor] of reply.tensors) {
    const input = inputs[index]
    if (input !== undefined) input.data = new ScannedData(tensor)
  }
  return readInferValue(signature, reply.value, noBinary)
}

const sameInputs = (one: Signature, other: Signature): boolean =>
  one === other ||
  (one.inputs.length === other.inputs.length &&
    one.inputs.every(
      ({ name, datatype }, index) =>
        other.inputs[index]?.name === name && other.inputs[index].datatype === datatype,
    ))

const orProblem = (reply: PredictReply) => {
  if (reply.as === "refused") throw problemOf(reply)
  return reply
}

const invalidInputs = ({ model }: Route, [first, ...more]: ReadonlyArray<InputIssue>) =>
  first === undefined
    ? undefined
    : new InferenceError({ reason: new InvalidInputs({ model, issues: [first, ...more] }) })

const inputsOf = (reply: ReturnType<typeof orProblem>, to: Route): Tensors => {
  if (reply.as === "whole") {
    const invalid = invalidInputs(to, reply.issues)
    if (invalid !== undefined) throw invalid
    return fromEntries(reply.inputs)
  }
  const { inputs } = readPredict(reply.value)
  const bare = Object.entries(inputs).filter(([name]) => !reply.tensors.has(name))
  const read = Result.getOrThrowWith(nestedInputs(to, Object.fromEntries(bare)), (error) => error)
  return fromEntries(
    Object.keys(inputs).flatMap((name) => {
      const tensor = reply.tensors.get(name) ?? read[name]
      return tensor === undefined ? [] : [[name, tensor]]
    }),
  )
}

/**
 * `/v1`. The body itself says by its version which signature it is to be read by; it is read by the one that is likely,
 * and again in the rare case that the version's takes other datatypes. `route` throws when there is no such version.
 * Throws the problem with the request, or an `InferenceError`.
 */
export const readLargePredict = async (
  reader: BodyReaderService,
  likely: Signature | undefined,
  route: (version: string | undefined) => Route,
  body: RequestBody,
  signal: CallerSignal,
): Promise<PredictRequest> => {
  const reply = orProblem(await reader.predict({ kind: "predict", body, signature: likely }, signal))
  const members = reply.as === "whole" ? reply.members : readPredict(reply.value)
  const to = route(members.version)
  const { signature } = to
  const { version, outputs, schedule } = members
  const known = likely !== undefined && sameInputs(likely, signature)
  const read =
    known || reply.body === undefined
      ? reply
      : orProblem(await reader.predict({ kind: "predict", body: reply.body, signature }, signal))
  return { to, inputs: inputsOf(read, to), version, outputs, schedule }
}
