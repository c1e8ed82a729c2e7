/** `/v1` predictions: nested arrays for people, shapes inferred and held against the signature. */
import { InvalidRequestProblem } from "@modelforge/api"
import { describeValue, type Prediction, type Route } from "@modelforge/core"
import { Predicate } from "effect"
import type { LargeTexts } from "../json/largeTexts.ts"
import { nestedJson } from "../json/tensorJson.ts"
import { maxTensors } from "./maxTensors.ts"
import { readSchedule, type Schedule } from "./schedule.ts"

export interface PredictMembers {
  readonly inputs: Readonly<Record<string, unknown>>
  readonly outputs: ReadonlyArray<string>
  readonly version: string | undefined
  readonly schedule: Schedule
}

const refuse = (path: string, message: string) =>
  new InvalidRequestProblem({ detail: `${path}: ${message}`, errors: [{ path, message }] })

/** Checked by hand: a schema would walk and copy what may be megabytes of numbers. */
export const readPredict = (body: unknown): PredictMembers => {
  if (!Predicate.isObject(body) || Array.isArray(body))
    throw refuse("body", `expected an object with the member "inputs", got ${describeValue(body)}`)
  const { inputs, outputs, version, parameters } = body as Record<string, unknown>
  if (!Predicate.isObject(inputs) || Array.isArray(inputs))
    throw refuse("inputs", `expected an object of input names and values, got ${describeValue(inputs)}`)
  if (version !== undefined && version !== null && !isVersion(version))
    throw refuse("version", `expected a version number or an alias, got ${describeValue(version)}`)
  const count = Object.keys(inputs).length
  if (count > maxTensors)
    throw refuse("inputs", `the request has ${count} of them, more than the ${maxTensors} that are taken`)
  return {
    inputs: inputs as Readonly<Record<string, unknown>>,
    outputs: readOutputs(outputs),
    version: isVersion(version) ? String(version) : undefined,
    schedule: readSchedule(parameters, refuse),
  }
}

const readOutputs = (outputs: unknown): ReadonlyArray<string> => {
  if (outputs === undefined || outputs === null) return []
  if (!Array.isArray(outputs))
    throw refuse("outputs", `expected an array of output names, got ${describeValue(outputs)}`)
  if (outputs.length > maxTensors)
    throw refuse(
      "outputs",
      `the request has ${outputs.length} of them, more than the ${maxTensors} that are taken`,
    )
  const odd = outputs.findIndex((name) => !Predicate.isString(name))
  if (odd !== -1)
    throw refuse(`outputs[${odd}]`, `expected an output's name, got ${describeValue(outputs[odd])}`)
  return outputs
}

const isVersion = (value: unknown): value is string | number =>
  Predicate.isString(value) || (Predicate.isNumber(value) && Number.isInteger(value))

/** In milliseconds; none is NaN or infinite, which JSON does not have. */
export interface Timings {
  readonly queueMs: number
  readonly computeMs: number
  readonly totalMs: number
}

/** `texts` has the outputs that were written already. */
export const writePredict = (
  route: Route,
  prediction: Prediction,
  { queueMs, computeMs, totalMs }: Timings,
  id: string,
  texts: LargeTexts,
): string => {
  const outputs = Object.entries(prediction.outputs)
    .map(([name, tensor]) => `${JSON.stringify(name)}:${texts.get(name) ?? nestedJson(tensor, name)}`)
    .join(",")
  const timings = `{"queueMs":${queueMs},"computeMs":${computeMs},"totalMs":${totalMs}}`
  return `{"model":"${route.model}","version":${prediction.version},"outputs":{${outputs}},"cache":"${prediction.cache}","timings":${timings},"id":${JSON.stringify(id)}}`
}
