/** Holds a request's tensors against a signature, before anything is spent on them. */

import type { InputIssue } from "../model/InputIssue.ts"
import { formatShape, type Signature, type TensorSpec } from "../model/Signature.ts"
import { elementCount, isSize, type Tensor, type Tensors } from "../model/Tensor.ts"

/** More help nobody, and a hostile request could earn millions. */
const maxIssues = 20

/** Empty rows cost the sender nothing, but an array each when they are nested again. */
const maxEmptyRows = 65_536

const describe = (spec: TensorSpec) => `${spec.datatype} ${formatShape(spec.shape)}`

const describeTensor = ({ datatype, shape }: Tensor) =>
  shape.length > 32 ? `${datatype} of ${shape.length} dimensions` : `${datatype} ${formatShape(shape)}`

const shorten = (name: string) => (name.length > 80 ? `${name.slice(0, 80)}…` : name)

/** Sizes that symbolic dimensions took in this request, with the input that set them. */
type Bindings = Map<string, { readonly size: number; readonly input: string }>

const checkDimension = (spec: TensorSpec, axis: number, size: number, bindings: Bindings) => {
  const expected = spec.shape[axis]
  if (!isSize(size)) return `dimension ${axis} is ${size}, not an integer from 0`
  if (typeof expected === "number")
    return expected === -1 || expected === size ? undefined : `dimension ${axis} is ${size}, not ${expected}`
  if (expected === undefined) return undefined
  const bound = bindings.get(expected)
  if (bound === undefined) {
    bindings.set(expected, { size, input: spec.name })
    return undefined
  }
  return bound.size === size
    ? undefined
    : `dimension ${axis} ("${expected}") is ${size}, but ${bound.size} in input "${bound.input}"`
}

const checkSizes = (spec: TensorSpec, { shape, data }: Tensor, bindings: Bindings): string | undefined => {
  if (shape.length !== spec.shape.length)
    return `the number of dimensions is ${shape.length}, not ${spec.shape.length}`
  if (shape[0] === 0 && spec.shape[0] !== 0) return "the batch is empty, send at least one row"
  for (const [axis, size] of shape.entries()) {
    const wrong = checkDimension(spec, axis, size, bindings)
    if (wrong !== undefined) return wrong
  }
  const count = elementCount(shape)
  if (count !== data.length) return `${data.length} elements, but the shape holds ${count}`
  return count === 0 && elementCount(shape.slice(0, shape.indexOf(0))) > maxEmptyRows
    ? `an empty tensor of more than ${maxEmptyRows} rows`
    : undefined
}

const checkTensor = (spec: TensorSpec, tensor: Tensor, bindings: Bindings): string | undefined => {
  const expectation = () => `expected ${describe(spec)}, got ${describeTensor(tensor)}`
  if (tensor.datatype !== spec.datatype) return expectation()
  const wrong = checkSizes(spec, tensor, bindings)
  return wrong === undefined ? undefined : `${expectation()}: ${wrong}`
}

/**
 * What is wrong with the names, datatypes and shapes of `inputs` and with the names in `outputs`, the first 20 of
 * it; empty when the request fits.
 */
export const checkInputs = (
  signature: Signature,
  inputs: Tensors,
  outputs: ReadonlyArray<string>,
): ReadonlyArray<InputIssue> => {
  const issues: Array<InputIssue> = []
  const bindings: Bindings = new Map()
  for (const spec of signature.inputs) {
    const tensor = Object.hasOwn(inputs, spec.name) ? inputs[spec.name] : undefined
    const message =
      tensor === undefined ? `missing: expected ${describe(spec)}` : checkTensor(spec, tensor, bindings)
    if (message !== undefined) issues.push({ path: `inputs.${spec.name}`, message })
  }
  for (const name of Object.keys(inputs)) {
    if (issues.length >= maxIssues) break
    if (!signature.inputs.some((spec) => spec.name === name))
      issues.push({
        path: `inputs.${shorten(name)}`,
        message: `unknown input: this model takes ${listNames(signature.inputs)}`,
      })
  }
  for (const [index, name] of outputs.entries()) {
    if (issues.length >= maxIssues) break
    const message = checkOutput(signature, outputs, index, name)
    if (message !== undefined) issues.push({ path: `outputs[${index}]`, message })
  }
  return issues.slice(0, maxIssues)
}

const checkOutput = (
  signature: Signature,
  outputs: ReadonlyArray<string>,
  index: number,
  name: string,
): string | undefined => {
  if (!signature.outputs.some((spec) => spec.name === name))
    return `unknown output "${shorten(name)}": this model gives ${listNames(signature.outputs)}`
  return outputs.indexOf(name) === index ? undefined : `output "${name}" is asked for twice`
}

/** `"a", "b"`: names of inputs or outputs as messages show them. */
export const listNames = (specs: ReadonlyArray<TensorSpec>): string =>
  specs.map((spec) => `"${spec.name}"`).join(", ")
