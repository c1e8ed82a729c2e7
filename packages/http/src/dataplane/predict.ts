/** `/v1` predictions: nested arrays for people, shapes inferred and held against the signature. */
import { InvalidInputsProblem, InvalidRequestProblem } from "@modelforge/api"
import {
  describeValue,
  fromNested,
  type InputIssue,
  type Prediction,
  type Route,
  type Tensor,
} from "@modelforge/core"
import { Predicate, Result } from "effect"
import { nestedJson } from "./tensorJson.ts"

export interface PredictMembers {
  readonly inputs: Readonly<Record<string, unknown>>
  readonly outputs: ReadonlyArray<string>
  readonly version: string | undefined
}

const refuse = (path: string, message: string) =>
  new InvalidRequestProblem({ detail: `${path}: ${message}`, errors: [{ path, message }] })

/** Checked by hand: a schema would walk and copy what may be megabytes of numbers. */
export const readPredict = (body: unknown): PredictMembers => {
  if (!Predicate.isObject(body))
    throw refuse("body", `expected an object with the member "inputs", got ${describeValue(body)}`)
  const { inputs, outputs, version } = body as Record<string, unknown>
  if (!Predicate.isObject(inputs) || Array.isArray(inputs))
    throw refuse("inputs", `expected an object of input names and values, got ${describeValue(inputs)}`)
  if (outputs !== undefined && outputs !== null && !isNames(outputs))
    throw refuse("outputs", `expected an array of output names, got ${describeValue(outputs)}`)
  if (version !== undefined && version !== null && !isVersion(version))
    throw refuse("version", `expected a version number or an alias, got ${describeValue(version)}`)
  return {
    inputs: inputs as Readonly<Record<string, unknown>>,
    outputs: isNames(outputs) ? outputs : [],
    version: isVersion(version) ? String(version) : undefined,
  }
}

const isNames = (value: unknown): value is ReadonlyArray<string> =>
  Array.isArray(value) && value.every(Predicate.isString)

const isVersion = (value: unknown): value is string | number =>
  Predicate.isString(value) || (Predicate.isNumber(value) && Number.isInteger(value))

/** The values as tensors of the signature's datatypes. Names and shapes are checked later, by `Inference`. */
export const predictTensors = (
  route: Route,
  inputs: Readonly<Record<string, unknown>>,
): Record<string, Tensor> => {
  const tensors: Record<string, Tensor> = Object.create(null)
  const issues: Array<InputIssue> = []
  for (const [name, value] of Object.entries(inputs)) {
    // An unknown input is refused by its name; its values don't matter.
    const datatype = route.signature.inputs.find((spec) => spec.name === name)?.datatype ?? "BYTES"
    const known = route.signature.inputs.some((spec) => spec.name === name)
    const read = fromNested(datatype, known ? value : "", `inputs.${name}`)
    if (Result.isSuccess(read)) tensors[name] = read.success
    else issues.push(read.failure)
  }
  const [first] = issues
  if (first !== undefined)
    throw new InvalidInputsProblem({
      model: route.model,
      errors: issues,
      detail: `${first.path}: ${first.message}`,
    })
  return tensors
}

export const writePredict = (
  route: Route,
  prediction: Prediction,
  timings: { readonly queueMs: number; readonly computeMs: number; readonly totalMs: number },
  id: string,
): string => {
  const outputs = Object.entries(prediction.outputs)
    .map(([name, tensor]) => `${JSON.stringify(name)}:${nestedJson(tensor, name)}`)
    .join(",")
  return `{"model":"${route.model}","version":${prediction.version},"outputs":{${outputs}},"cache":"${prediction.cache}","timings":${JSON.stringify(timings)},"id":${JSON.stringify(id)}}`
}
