/** Tensors from nested JavaScript arrays, as people and JSON write them, and back. */
import { Result } from "effect"
import type { Datatype } from "../model/Datatype.ts"
import type { InputIssue } from "../model/InputIssue.ts"
import { elementCount, isSize, maxRank, type Tensor, type TensorOf } from "../model/Tensor.ts"
import { bytesElement, describeValue, largestFP32, loadElement, storeElement } from "./elements.ts"
import { allocateSmall } from "./smallArrays.ts"

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

/** Stores the elements of one innermost array from `start` on; gives the index of the first that does not fit, or -1. */
type StoreRow = (row: ReadonlyArray<unknown>, start: number) => number

interface Store {
  readonly data: Tensor["data"]
  /** Stores one element, or says what is wrong with it. */
  readonly element: (index: number, value: unknown) => string | undefined
  readonly row: StoreRow
}

const storeInto = (datatype: Datatype, count: number): Store => {
  if (datatype !== "BYTES") return numericStore(datatype, count)
  const data = new Array<Uint8Array>(count)
  const element = (index: number, value: unknown) => {
    const bytes = bytesElement(value)
    if (bytes === undefined) return `expected a string for BYTES, got ${describeValue(value)}`
    data[index] = bytes
    return undefined
  }
  return { data, element, row: rowOf(element) }
}

const numericStore = <D extends Exclude<Datatype, "BYTES">>(datatype: D, count: number): Store => {
  const data = allocateSmall(datatype, count)
  const store = storeElement[datatype]
  const element = (index: number, value: unknown) => store(data, index, value)
  const row = data instanceof Float32Array ? floatRow(data, element) : rowOf(element)
  return { data, element, row }
}

const rowOf =
  (element: Store["element"]): StoreRow =>
  (row, start) => {
    for (let index = 0; index < row.length; index++)
      if (element(start + index, row[index]) !== undefined) return index
    return -1
  }

/** The loop that most bytes of most requests pass: what is plainly a number in range is stored without a call. */
const floatRow =
  (data: Float32Array, element: Store["element"]): StoreRow =>
  (row, start) => {
    for (let index = 0; index < row.length; index++) {
      const value = row[index]
      if (typeof value === "number" && value <= largestFP32 && value >= -largestFP32)
        data[start + index] = value
      else if (element(start + index, value) !== undefined) return index
    }
    return -1
  }

/** Where something is wrong: the index at each level, outermost last, so that only failures pay for their path. */
interface Place {
  readonly indices: Array<number>
  readonly message: string
}

const inner = (place: Place, index: number): Place => {
  place.indices.push(index)
  return place
}

const issueAt = (path: string, { indices, message }: Place): InputIssue => ({
  path: `${path}${indices
    .reverse()
    .map((index) => `[${index}]`)
    .join("")}`,
  message,
})

/**
 * The first place where the nesting is not that of `shape`. Looks at arrays only, and before anything is allocated:
 * the product of the lengths that a ragged nesting suggests can be far more than it holds.
 */
const findRagged = (value: unknown, shape: ReadonlyArray<number>, axis: number): Place | undefined => {
  const size = shape[axis]
  if (size === undefined) return undefined
  if (!Array.isArray(value) || value.length !== size) {
    const came = Array.isArray(value) ? `one of ${value.length}` : describeValue(value)
    return { indices: [], message: `the nesting is ragged: expected an array of ${size}, got ${came}` }
  }
  if (axis + 1 === shape.length) return undefined
  for (let index = 0; index < size; index++) {
    const place = findRagged(value[index], shape, axis + 1)
    if (place !== undefined) return inner(place, index)
  }
  return undefined
}

/** Stores every leaf of a nesting that is not ragged, in row-major order; gives the first that does not fit. */
const fill = (value: unknown, rank: number, store: Store): Place | undefined => {
  let next = 0
  const refusal = (index: number, element: unknown): Place => ({
    indices: [],
    message: store.element(index, element) ?? "",
  })
  const walk = (level: unknown, depth: number): Place | undefined => {
    if (!Array.isArray(level)) return store.element(0, level) === undefined ? undefined : refusal(0, level)
    if (depth + 1 === rank) {
      const bad = store.row(level, next)
      if (bad !== -1) return inner(refusal(next + bad, level[bad]), bad)
      next += level.length
      return undefined
    }
    for (let index = 0; index < level.length; index++) {
      const place = walk(level[index], depth + 1)
      if (place !== undefined) return inner(place, index)
    }
    return undefined
  }
  return walk(value, 0)
}

const build = (
  datatype: Datatype,
  shape: ReadonlyArray<number>,
  nesting: ReadonlyArray<number>,
  value: unknown,
  path: string,
): Result.Result<Tensor, InputIssue> => {
  const ragged = findRagged(value, nesting, 0)
  if (ragged !== undefined) return Result.fail(issueAt(path, ragged))
  const store = storeInto(datatype, elementCount(shape))
  const refused = fill(value, nesting.length, store)
  return refused === undefined
    ? Result.succeed(tensor(datatype, shape, store.data))
    : Result.fail(issueAt(path, refused))
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
