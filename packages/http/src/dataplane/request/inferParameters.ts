/** Parameters of V2, of a request, an input or an output: a flat map. Those that mean something here are read. */
import { BadRequestProblem, UnsupportedFeatureProblem } from "@modelforge/api"
import { describeValue } from "@modelforge/core"
import { Predicate } from "effect"
import type { OutputForm } from "../response/outputForms.ts"
import { maxTensors } from "./maxTensors.ts"

export type Parameters = Readonly<Record<string, unknown>>

export const refuse = (path: string, message: string) =>
  new BadRequestProblem({ detail: `${path}: ${message}`, errors: [{ path, message }] })

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  Predicate.isObject(value) && !Array.isArray(value)

/** Clients send null for members they leave out. */
export const given = (value: unknown): boolean => value !== undefined && value !== null

/** Refuses lists of more tensors than a request may have. */
export const boundedList = (list: ReadonlyArray<unknown>, path: string): void => {
  if (list.length > maxTensors)
    throw refuse(path, `the request has ${list.length} of them, more than the ${maxTensors} that are taken`)
}

const shorten = (name: string) => (name.length > 80 ? `${name.slice(0, 80)}…` : name)

/** The parameters at `path`, each a string, a number or a boolean; undefined when there are none. */
export const readParameters = (value: unknown, path: string): Parameters | undefined => {
  if (!given(value)) return undefined
  if (!isRecord(value)) throw refuse(path, `expected an object, got ${describeValue(value)}`)
  for (const name of Object.keys(value)) {
    const parameter = value[name]
    if (parameter === null || typeof parameter === "object")
      throw refuse(
        `${path}.${shorten(name)}`,
        `expected a string, a number or a boolean, got ${describeValue(parameter)}`,
      )
  }
  return value
}

const readFlag = (parameters: Parameters, name: string, path: string): boolean | undefined => {
  const value = parameters[name]
  if (value !== undefined && !Predicate.isBoolean(value))
    throw refuse(`${path}.${name}`, `expected true or false, got ${describeValue(value)}`)
  return value
}

const unsupported = (path: string, what: string) =>
  new UnsupportedFeatureProblem({ detail: `${path}: ${what} are not supported by this server` })

/** What a request that is no part of a sequence may say all the same. */
const noSequence: ReadonlyArray<unknown> = [0, "", false]

/**
 * Whether outputs that the request does not list are answered as bytes. Refuses the names that servers of the
 * protocol keep for themselves, and sequences, whose state nobody keeps here.
 */
export const readRequestParameters = (parameters: Parameters): { readonly binaryOutput: boolean } => {
  for (const name of Object.keys(parameters)) {
    if (/^sequence_(?:id|start|end)$/.test(name) && !noSequence.includes(parameters[name]))
      throw unsupported(`parameters.${name}`, "sequences")
    if (name === "headers" || name.startsWith("triton_"))
      throw refuse(`parameters.${shorten(name)}`, "this name is reserved: give the parameter another")
  }
  return { binaryOutput: readFlag(parameters, "binary_data_output", "parameters") === true }
}

const refuseSharedMemory = (parameters: Parameters, path: string) => {
  if (parameters["shared_memory_region"] !== undefined)
    throw unsupported(`${path}.shared_memory_region`, "shared memory regions")
}

/** How many bytes of the binary section are the input's; undefined when its data is in the JSON. */
export const readBinarySize = (parameters: Parameters, path: string): number | undefined => {
  refuseSharedMemory(parameters, path)
  const size = parameters["binary_data_size"]
  if (size === undefined) return undefined
  if (!Number.isSafeInteger(size) || Number(size) < 0)
    throw refuse(`${path}.binary_data_size`, `expected a number of bytes, got ${describeValue(size)}`)
  return Number(size)
}

/** Elements that a classification gives at most: for more than these, the tensor itself is what to ask for. */
const maxClasses = 1024

export const readOutputForm = (parameters: Parameters, path: string): OutputForm => {
  refuseSharedMemory(parameters, path)
  const classes = parameters["classification"]
  if (
    classes !== undefined &&
    !(Number.isSafeInteger(classes) && Number(classes) >= 1 && Number(classes) <= maxClasses)
  )
    throw refuse(
      `${path}.classification`,
      `expected a number of classes, 1 to ${maxClasses}, got ${describeValue(classes)}`,
    )
  return {
    binary: readFlag(parameters, "binary_data", path) === true,
    classes: classes === undefined ? undefined : Number(classes),
  }
}
