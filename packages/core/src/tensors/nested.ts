/** Tensors from nested JavaScript arrays, as people and JSON write them, and back. */
import { Result } from "effect"
import type { Datatype } from "../model/Datatype.ts"
import type { InputIssue } from "../model/InputIssue.ts"
import { allocate, elementCount, isSize, type Tensor, type TensorOf } from "../model/Tensor.ts"
import { bytesElement, describeValue, loadElement, storeElement } from "./elements.ts"

/** Deeper nesting than any model takes is refused before it costs anything. */
const maxRank = 32

/** The shape that the first element of each level suggests; whether the others agree is found while filling. */
const outline = (value: unknown): ReadonlyArray<number> => {
  const shape: Array<number> = []
  let level = value
  while (Array.isArray(level) && shape.length <= maxRank) {
    shape.push(level.length)
    level = level[0]
  }
  return shape
}

type StoreValue = (index: number, value: unknown) => string | undefined

const storeInto = (datatype: Datatype, count: number): { data: Tensor["data"]; store: StoreValue } => {
  if (datatype === "BYTES") {
    const data = new Array<Uint8Array>(count)
    return {
      data,
      store: (index, value) => {
        const element = bytesElement(value)
        if (element === undefined) return `expected a string for BYTES, got ${describeValue(value)}`
        data[index] = element
        return undefined
      },
    }
  }
  return numericStore(datatype, count)
}

const numericStore = <D extends Exclude<Datatype, "BYTES">>(datatype: D, count: number) => {
  const data = allocate[datatype](count)
  const store = storeElement[datatype]
  return { data, store: (index: number, value: unknown) => store(data, index, value) }
}

/**
 * The first place where the nesting is not that of `shape`. Looks at arrays only, and before anything is allocated:
 * the product of the lengths that a ragged nesting suggests can be far more than it holds.
 */
const findRagged = (
  value: unknown,
  shape: ReadonlyArray<number>,
  axis: number,
  path: string,
): InputIssue | undefined => {
  const size = shape[axis]
  if (size === undefined) return undefined
  if (!Array.isArray(value) || value.length !== size) {
    const came = Array.isArray(value) ? `one of ${value.length}` : describeValue(value)
    return { path, message: `the nesting is ragged: expected an array of ${size}, got ${came}` }
  }
  if (axis + 1 === shape.length) return undefined
  for (const [index, element] of value.entries()) {
    const issue = findRagged(element, shape, axis + 1, `${path}[${index}]`)
    if (issue !== undefined) return issue
  }
  return undefined
}

/** Stores each leaf in row-major order; gives the first that does not fit. */
const fill = (value: unknown, rank: number, path: string, store: StoreValue): InputIssue | undefined => {
  let next = 0
  const put = (element: unknown, at: () => string): InputIssue | undefined => {
    const message = store(next++, element)
    return message === undefined ? undefined : { path: at(), message }
  }
  const walk = (level: unknown, depth: number, at: () => string): InputIssue | undefined => {
    if (!Array.isArray(level)) return put(level, at)
    let index = 0
    const here = () => `${at()}[${index}]`
    for (; index < level.length; index++) {
      const element: unknown = level[index]
      const issue = depth + 1 < rank ? walk(element, depth + 1, here) : put(element, here)
      if (issue !== undefined) return issue
    }
    return undefined
  }
  return walk(value, 0, () => path)
}

const build = (
  datatype: Datatype,
  shape: ReadonlyArray<number>,
  nesting: ReadonlyArray<number>,
  value: unknown,
  path: string,
): Result.Result<Tensor, InputIssue> => {
  const ragged = findRagged(value, nesting, 0, path)
  if (ragged !== undefined) return Result.fail(ragged)
  const { data, store } = storeInto(datatype, elementCount(shape))
  const issue = fill(value, nesting.length, path, store)
  return issue === undefined ? Result.succeed(tensor(datatype, shape, data)) : Result.fail(issue)
}

const tensor = <D extends Datatype>(
  datatype: D,
  shape: ReadonlyArray<number>,
  data: Tensor["data"],
): Tensor => ({ datatype, shape, data }) as TensorOf<D> as Tensor

/** Builds a tensor whose shape is that of the nesting; a bare value is a scalar. */
export const fromNested = (
  datatype: Datatype,
  value: unknown,
  path: string,
): Result.Result<Tensor, InputIssue> => {
  const shape = outline(value)
  if (shape.length > maxRank)
    return Result.fail({ path, message: `the nesting is deeper than ${maxRank} levels` })
  return build(datatype, shape, shape, value, path)
}

/** Builds a tensor of a given shape from its elements, flat in row-major order or nested like the shape. */
export const fromElements = (
  datatype: Datatype,
  shape: ReadonlyArray<number>,
  elements: ReadonlyArray<unknown>,
  path: string,
): Result.Result<Tensor, InputIssue> => {
  if (shape.length > maxRank)
    return Result.fail({ path, message: `the shape has ${shape.length} dimensions, more than ${maxRank}` })
  const odd = shape.find((size) => !isSize(size))
  if (odd !== undefined)
    return Result.fail({ path, message: `a shape holds integers from 0, not ${describeValue(odd)}` })
  const count = elementCount(shape)
  const nested = shape.length > 1 && Array.isArray(elements[0])
  if (!nested && elements.length !== count)
    return Result.fail({
      path,
      message: `unexpected number of elements: ${elements.length}, but the shape [${shape.join(", ")}] holds ${count}`,
    })
  return build(datatype, shape, nested ? shape : [count], elements, path)
}

export type NestedValue = number | bigint | boolean | string | ReadonlyArray<NestedValue>

/** The elements nested along the shape; 64-bit integers are numbers as far as these are exact, else bigints. */
export const toNested = (tensor: Tensor): NestedValue => {
  const load = loader(tensor)
  let next = 0
  const nest = (axis: number): NestedValue => {
    const size = tensor.shape[axis]
    return size === undefined ? load(next++) : Array.from({ length: size }, () => nest(axis + 1))
  }
  return nest(0)
}

const loader = <D extends Datatype>(tensor: TensorOf<D>) => {
  const load = loadElement[tensor.datatype]
  return (index: number) => load(tensor.data, index)
}
