/** The words that clients of Triton know for requests that do not fit the model, in front of our own. */
import { InvalidInputsProblem } from "@modelforge/api"
import { InferenceError, type InvalidInputs, type Route } from "@modelforge/core"
import type { InferRequest } from "../request/inferRequest.ts"

type Asked = Pick<InferRequest, "inputs" | "outputs">

const quote = (name: string) => `'${name.slice(0, 80)}'`

const ofInput = (issueName: string, { model, signature }: Route, { inputs }: Asked): string => {
  const specs = signature.inputs
  const names = Object.keys(inputs)
  if (names.length !== specs.length)
    return `expected ${specs.length} inputs but got ${names.length} inputs for model '${model}'`
  const unknown = names.find((name) => !specs.some((spec) => spec.name === name))
  if (unknown !== undefined) return `unexpected inference input ${quote(unknown)} for model '${model}'`
  const datatype = inputs[issueName]?.datatype
  const expected = specs.find(({ name }) => name === issueName)?.datatype
  return datatype === expected
    ? `unexpected shape for input ${quote(issueName)} for model '${model}'`
    : `inference input ${quote(issueName)} data-type is '${datatype}', but model '${model}' expects '${expected}'`
}

const lead = ({ issues: [{ path }] }: InvalidInputs, route: Route, asked: Asked): string | undefined => {
  if (path.startsWith("inputs.")) return ofInput(path.slice("inputs.".length), route, asked)
  const unknown = asked.outputs.find((name) => !route.outputNames.includes(name))
  return unknown === undefined
    ? undefined
    : `unexpected inference output ${quote(unknown)} for model '${route.model}'`
}

/** The failure as V2 tells it; others than misfits stay what they are. */
export const worded = (error: unknown, route: Route, asked: Asked): unknown => {
  if (!(error instanceof InferenceError) || error.reason._tag !== "InvalidInputs") return error
  const { model, issues, message } = error.reason
  const words = lead(error.reason, route, asked)
  return words === undefined
    ? error
    : new InvalidInputsProblem({ model, errors: issues, detail: `${words}. ${message}` })
}
