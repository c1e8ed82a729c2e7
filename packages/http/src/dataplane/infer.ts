/** V2 infer with JSON tensors. */
import { BadRequestProblem } from "@modelforge/api"
import {
  Datatype,
  describeValue,
  fromElements,
  isSize,
  type Prediction,
  type Route,
  type Tensor,
} from "@modelforge/core"
import { Predicate, Result, Schema } from "effect"
import { readSchedule, type Schedule } from "./schedule.ts"
import { flatJson } from "./tensorJson.ts"

export interface InferMembers {
  /** Echoed when it was given. */
  readonly id: string | undefined
  readonly inputs: Readonly<Record<string, Tensor>>
  readonly outputs: ReadonlyArray<string>
  readonly schedule: Schedule
}

const refuse = (path: string, message: string) =>
  new BadRequestProblem({ detail: `${path}: ${message}`, errors: [{ path, message }] })

const isDatatype = Schema.is(Datatype)
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  Predicate.isObject(value) && !Array.isArray(value)

/** Clients send null for members they leave out. */
const given = (value: unknown): boolean => value !== undefined && value !== null

const readShape = (value: unknown, path: string): ReadonlyArray<number> => {
  if (!Array.isArray(value))
    throw refuse(`${path}.shape`, `expected an array of sizes, got ${describeValue(value)}`)
  const odd = value.findIndex((size) => !isSize(size))
  if (odd !== -1)
    throw refuse(
      `${path}.shape[${odd}]`,
      `expected a size, an integer from 0, got ${describeValue(value[odd])}`,
    )
  return value
}

const readInput = (input: unknown, path: string): { name: string; tensor: Tensor } => {
  if (!isRecord(input)) throw refuse(path, `expected an object, got ${describeValue(input)}`)
  const { name, datatype, data, parameters } = input
  if (!Predicate.isString(name)) throw refuse(`${path}.name`, `expected a string, got ${describeValue(name)}`)
  const at = `inputs.${name.slice(0, 80)}`
  if (!isDatatype(datatype))
    throw refuse(
      `${at}.datatype`,
      `expected one of ${Datatype.literals.join(", ")}, got ${describeValue(datatype)}`,
    )
  const shape = readShape(input["shape"], at)
  if (isRecord(parameters) && given(parameters["binary_data_size"]))
    throw refuse(at, "binary tensor data needs the header Inference-Header-Content-Length")
  if (!Array.isArray(data))
    throw refuse(`${at}.data`, `expected an array of elements, got ${describeValue(data)}`)
  const read = fromElements(datatype, shape, data, `${at}.data`)
  if (Result.isFailure(read)) throw refuse(read.failure.path, read.failure.message)
  return { name, tensor: read.success }
}

const readInputs = (inputs: unknown): Readonly<Record<string, Tensor>> => {
  if (!Array.isArray(inputs))
    throw refuse("inputs", `expected an array of input tensors, got ${describeValue(inputs)}`)
  const tensors: Record<string, Tensor> = Object.create(null)
  for (const [index, input] of inputs.entries()) {
    const { name, tensor } = readInput(input, `inputs[${index}]`)
    if (name in tensors) {
      const shown = name.slice(0, 80)
      throw refuse(`inputs.${shown}`, `input "${shown}" already exists in request`)
    }
    tensors[name] = tensor
  }
  return tensors
}

const readOutputs = (outputs: unknown): ReadonlyArray<string> => {
  if (!given(outputs)) return []
  if (!Array.isArray(outputs))
    throw refuse("outputs", `expected an array of outputs, got ${describeValue(outputs)}`)
  return outputs.map((output: unknown, index) => {
    const name = isRecord(output) ? output["name"] : undefined
    if (!Predicate.isString(name))
      throw refuse(`outputs[${index}].name`, `expected a string, got ${describeValue(name)}`)
    return name
  })
}

/** `exactBody` is the body with integers beyond 2^53 as bigints. */
export const readInfer = (exactBody: unknown): InferMembers => {
  if (!isRecord(exactBody))
    throw refuse("body", `expected an object with the member "inputs", got ${describeValue(exactBody)}`)
  const { id, inputs, outputs, parameters } = exactBody
  if (given(id) && !Predicate.isString(id)) throw refuse("id", `expected a string, got ${describeValue(id)}`)
  return {
    id: Predicate.isString(id) && id !== "" ? id : undefined,
    inputs: readInputs(inputs),
    outputs: readOutputs(outputs),
    schedule: readSchedule(parameters, refuse),
  }
}

export const writeInfer = (route: Route, prediction: Prediction, id: string | undefined): string => {
  const outputs = Object.entries(prediction.outputs)
    .map(
      ([name, tensor]) =>
        `{"name":${JSON.stringify(name)},"datatype":"${tensor.datatype}","shape":[${tensor.shape.join(",")}],"data":${flatJson(tensor, name)}}`,
    )
    .join(",")
  const echoed = id === undefined ? "" : `"id":${JSON.stringify(id)},`
  return `{"model_name":"${route.model}","model_version":"${prediction.version}",${echoed}"outputs":[${outputs}]}`
}
