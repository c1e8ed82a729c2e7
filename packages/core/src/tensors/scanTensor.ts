/**
 * Tensors straight from the bytes of JSON, without the JavaScript values in between. It takes what is plainly a tensor
 * and leaves all else alone: what is wrong with it, and how it may still be read, is for `JSON.parse` with `fromNested`
 * or `fromElements` to say, which give the same tensors.
 */
import type { Datatype } from "../model/Datatype.ts"
import { allocate, type Tensor } from "../model/Tensor.ts"
import { jsonElements, type ScanOptions } from "./JsonElements.ts"
import { skipSpace } from "./jsonBytes.ts"
import { Nesting } from "./Nesting.ts"

export const isDatatype = (text: string): text is Datatype =>
  text === "BYTES" || Object.hasOwn(allocate, text)

export interface ScannedTensor {
  /** With the shape of the nesting. */
  readonly tensor: Tensor
  /** Index after the closing bracket. */
  readonly end: number
}

const opening = 0x5b
const closing = 0x5d
const comma = 0x2c

/**
 * Reads the array that begins at `start`, flat or nested. Undefined when it is no JSON, ragged, nested too deeply, or
 * holds an element that does not fit the datatype; also for a few that would fit (floats too large for a double).
 */
export const scanTensor = (
  json: Uint8Array,
  start: number,
  datatype: Datatype,
  options: ScanOptions = {},
): ScannedTensor | undefined => {
  const elements = jsonElements(json, start, datatype, options)
  const nesting = new Nesting()
  let at = start
  do {
    // A value is expected here: the first of an array, or the one after a comma.
    if (json[at] !== opening || !nesting.open()) return undefined
    at = skipSpace(json, at + 1)
    if (json[at] === opening) continue
    if (json[at] !== closing) {
      const before = elements.count
      at = elements.row(at)
      if (at === -1 || !nesting.add(elements.count - before)) return undefined
    }
    while (json[at] === closing) {
      if (!nesting.close()) return undefined
      if (nesting.depth === 0) return finish(datatype, nesting, elements.take(), at + 1)
      at = skipSpace(json, at + 1)
    }
    if (json[at] !== comma) return undefined
    at = skipSpace(json, at + 1)
  } while (at < json.length)
  return undefined
}

const finish = (
  datatype: Datatype,
  { shape }: Nesting,
  data: Tensor["data"] | undefined,
  end: number,
): ScannedTensor | undefined =>
  data === undefined ? undefined : { tensor: { datatype, shape, data } as Tensor, end }
