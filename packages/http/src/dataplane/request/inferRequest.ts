/** The members of a V2 infer request: tensors as JSON, as bytes behind it, or both. */
import {
  Datatype,
  describeValue,
  emptyTensors,
  fromElements,
  isSize,
  maxRank,
  type Tensor,
  type Tensors,
} from "@modelforge/core"
import { Predicate, Result, Schema } from "effect"
import { ScannedData } from "../large/ScannedData.ts"
import { binaryForms, type OutputForm, type OutputForms, plainForms } from "../response/outputForms.ts"
import type { BinarySection } from "./binarySection.ts"
import { fromBytes } from "./binaryTensor.ts"
import {
  boundedList,
  given,
  isRecord,
  readBinarySize,
  readOutputForm,
  readParameters,
  readRequestParameters,
  refuse,
} from "./inferParameters.ts"
import { readSchedule, type Schedule } from "./schedule.ts"

export interface InferRequest {
  /** Echoed when it was given. */
  readonly id: string | undefined
  readonly inputs: Tensors
  /** Names of the outputs asked for; empty for all. */
  readonly outputs: ReadonlyArray<string>
  readonly forms: OutputForms
  readonly schedule: Schedule
}

const isDatatype = Schema.is(Datatype)

const readShape = (value: unknown, path: string): ReadonlyArray<number> => {
  if (!Array.isArray(value))
    throw refuse(`${path}.shape`, `expected an array of sizes, got ${describeValue(value)}`)
  if (value.length > maxRank)
    throw refuse(`${path}.shape`, `the shape has ${value.length} dimensions, more than ${maxRank}`)
  const odd = value.findIndex((size) => !isSize(size))
  if (odd !== -1)
    throw refuse(
      `${path}.shape[${odd}]`,
      `expected a size, an integer from 0, got ${describeValue(value[odd])}`,
    )
  return value
}

const readJson = (datatype: Datatype, shape: ReadonlyArray<number>, data: unknown, path: string): Tensor => {
  if (data instanceof ScannedData) return data.tensor
  if (!Array.isArray(data))
    throw refuse(`${path}.data`, `expected an array of elements, got ${describeValue(data)}`)
  const read = fromElements(datatype, shape, data, `${path}.data`)
  if (Result.isFailure(read)) throw refuse(read.failure.path, read.failure.message)
  return read.success
}

const readBinary = (
  datatype: Datatype,
  shape: ReadonlyArray<number>,
  size: number,
  binary: BinarySection,
  path: string,
): Tensor => {
  const bytes = binary.take(size)
  if (bytes === undefined)
    throw refuse(
      path,
      `unexpected size for input: it says ${size} bytes, but ${binary.left} are left behind the JSON, whose length the header Inference-Header-Content-Length has to give`,
    )
  const read = fromBytes(datatype, shape, bytes)
  if (Result.isFailure(read)) throw refuse(path, `unexpected size for input: ${read.failure}`)
  return read.success
}

const readInput = (input: unknown, path: string, binary: BinarySection): { name: string; tensor: Tensor } => {
  if (!isRecord(input)) throw refuse(path, `expected an object, got ${describeValue(input)}`)
  const { name, datatype, data } = input
  if (!Predicate.isString(name)) throw refuse(`${path}.name`, `expected a string, got ${describeValue(name)}`)
  const at = `inputs.${name.slice(0, 80)}`
  if (!isDatatype(datatype))
    throw refuse(
      `${at}.datatype`,
      `expected one of ${Datatype.literals.join(", ")}, got ${describeValue(datatype)}`,
    )
  const shape = readShape(input["shape"], at)
  const parameters = readParameters(input["parameters"], `${at}.parameters`)
  const size = parameters === undefined ? undefined : readBinarySize(parameters, `${at}.parameters`)
  if (size === undefined) return { name, tensor: readJson(datatype, shape, data, at) }
  if (given(data)) throw refuse(at, "expected either data or parameters.binary_data_size, got both")
  return { name, tensor: readBinary(datatype, shape, size, binary, at) }
}

const readInputs = (inputs: unknown, binary: BinarySection): Tensors => {
  if (!Array.isArray(inputs))
    throw refuse("inputs", `expected an array of input tensors, got ${describeValue(inputs)}`)
  boundedList(inputs, "inputs")
  const tensors = emptyTensors()
  for (const [index, input] of inputs.entries()) {
    const { name, tensor } = readInput(input, `inputs[${index}]`, binary)
    if (name in tensors) {
      const shown = name.slice(0, 80)
      throw refuse(`inputs.${shown}`, `input "${shown}" already exists in request`)
    }
    tensors[name] = tensor
  }
  if (binary.left > 0)
    throw refuse("inputs", `unexpected additional input data: ${binary.left} bytes that are no input's`)
  return tensors
}

/** Names, and the forms of the outputs that give parameters. */
const readOutputs = (outputs: unknown) => {
  const names: Array<string> = []
  const listed = new Map<string, OutputForm>()
  if (!given(outputs)) return { names, listed }
  if (!Array.isArray(outputs))
    throw refuse("outputs", `expected an array of outputs, got ${describeValue(outputs)}`)
  boundedList(outputs, "outputs")
  for (const [index, output] of outputs.entries()) {
    const path = `outputs[${index}]`
    const name = isRecord(output) ? output["name"] : undefined
    if (!Predicate.isString(name))
      throw refuse(`${path}.name`, `expected a string, got ${describeValue(name)}`)
    names.push(name)
    const parameters = readParameters(output.parameters, `${path}.parameters`)
    if (parameters !== undefined) listed.set(name, readOutputForm(parameters, `${path}.parameters`))
  }
  return { names, listed }
}

/**
 * `exactBody` is the JSON with integers beyond 2^53 as bigints, `binary` what follows it. All of it has to be taken.
 * Throws a `BadRequestProblem`, or an `UnsupportedFeatureProblem`.
 */
export const readInfer = (exactBody: unknown, binary: BinarySection): InferRequest => {
  if (!isRecord(exactBody))
    throw refuse("body", `expected an object with the member "inputs", got ${describeValue(exactBody)}`)
  const { id, inputs, outputs } = exactBody
  if (given(id) && !Predicate.isString(id)) throw refuse("id", `expected a string, got ${describeValue(id)}`)
  const parameters = readParameters(exactBody["parameters"], "parameters")
  const binaryOutput = parameters !== undefined && readRequestParameters(parameters).binaryOutput
  const { names, listed } = readOutputs(outputs)
  // Where outputs are listed, each says for itself: so do Triton and KServe, OpenVINO differs.
  const others = binaryOutput && names.length === 0 ? binaryForms : plainForms
  return {
    id: Predicate.isString(id) && id !== "" ? id : undefined,
    inputs: readInputs(inputs, binary),
    outputs: names,
    forms: listed.size === 0 ? others : { listed, others: others.others },
    schedule: readSchedule(parameters, refuse),
  }
}
