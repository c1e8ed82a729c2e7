/** Holds a request's tensors against a signature, before anything is spent on them. */

import type { InputIssue } from "../model/InputIssue.ts"
import { formatShape, type Signature, type TensorSpec } from "../model/Signature.ts"
import { elementCount, type Tensor, type Tensors } from "../model/Tensor.ts"

const describe = (spec: TensorSpec) => `${spec.datatype} ${formatShape(spec.shape)}`

/** Sizes that symbolic dimensions took in this request, with the input that set them. */
type Bindings = Map<string, { readonly size: number; readonly input: string }>

const checkDimension = (spec: TensorSpec, axis: number, size: number, bindings: Bindings) => {
  const expected = spec.shape[axis]
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

const checkTensor = (spec: TensorSpec, tensor: Tensor, bindings: Bindings): string | undefined => {
  const expected = `expected ${describe(spec)}, got ${tensor.datatype} ${formatShape(tensor.shape)}`
  if (tensor.datatype !== spec.datatype) return expected
  if (tensor.shape.length !== spec.shape.length)
    return `${expected}: ${tensor.shape.length} dimensions instead of ${spec.shape.length}`
  const [rows] = tensor.shape
  if (rows === 0 && spec.shape[0] !== 0) return `${expected}: the batch is empty, send at least one row`
  for (const [axis, size] of tensor.shape.entries()) {
    const wrong = checkDimension(spec, axis, size, bindings)
    if (wrong !== undefined) return `${expected}: ${wrong}`
  }
  return elementCount(tensor.shape) === tensor.data.length
    ? undefined
    : `${expected}: ${tensor.data.length} elements, but the shape holds ${elementCount(tensor.shape)}`
}

/**
 * All that is wrong with the names, datatypes and shapes of `inputs` and with the names in `outputs`; empty when
 * the request fits.
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
  for (const name of Object.keys(inputs))
    if (!signature.inputs.some((spec) => spec.name === name))
      issues.push({
        path: `inputs.${name}`,
        message: `unknown input: this model takes ${listNames(signature.inputs)}`,
      })
  return [...issues, ...checkOutputs(signature, outputs)]
}

const checkOutputs = (signature: Signature, outputs: ReadonlyArray<string>): Array<InputIssue> =>
  outputs.flatMap((name, index) => {
    const path = `outputs[${index}]`
    if (!signature.outputs.some((spec) => spec.name === name))
      return [{ path, message: `unknown output "${name}": this model gives ${listNames(signature.outputs)}` }]
    return outputs.indexOf(name) === index ? [] : [{ path, message: `output "${name}" is asked for twice` }]
  })

/** `"a", "b"`: names of inputs or outputs as messages show them. */
export const listNames = (specs: ReadonlyArray<TensorSpec>): string =>
  specs.map((spec) => `"${spec.name}"`).join(", ")
