/** The elements of a tensor, read from the bytes of JSON arrays. */
import type { Datatype } from "../model/Datatype.ts"
import { allocate, type NumericDatatype, type Tensor, type TensorArrays } from "../model/Tensor.ts"
import { bytesElement, largestFP32, storeElement } from "./elements.ts"
import { JsonNumbers } from "./JsonNumbers.ts"
import { skipSpace, skipString } from "./jsonBytes.ts"

export interface ScanOptions {
  /** Whether `NaN`, `Infinity` and `-Infinity` are taken for floats. Default: false. */
  readonly words?: boolean
  /** Whether integers beyond 2^53 are read, exactly. Default: false. */
  readonly exact?: boolean
}

/** Reads one row after the other. What it does not read plainly is left to others, who can say what is wrong. */
export interface JsonElements {
  /** Elements read so far. */
  readonly count: number
  /** From the row's first element to its closing bracket, whose index it gives; -1 when it leaves the row alone. */
  readonly row: (start: number) => number
  /** All elements that were read; undefined when one does not fit the datatype. */
  readonly take: () => Tensor["data"] | undefined
}

const comma = 0x2c
const closing = 0x5d

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const number = /^-?(?:0|[1-9]\d*)(?<fraction>\.\d+)?(?<exponent>[eE][+-]?\d+)?$/
/** Longer texts of single elements are left to others. */
const longestElement = 400

/** The bytes up to the next comma, bracket or white space as text; undefined when that is far. */
const elementText = (json: Uint8Array, start: number): string | undefined => {
  let text = ""
  for (let at = start; text.length < longestElement; at++) {
    const code = json[at] ?? 0
    if (code === comma || code === closing || code <= 0x20) return text
    text += String.fromCharCode(code)
  }
  return undefined
}

/** After so many elements by their text, the rest goes by stretches. */
const plentyOfTexts = 16
const longestStretch = 64 * 1024

/** Where a stretch of the row ends: at its bracket, or at the last comma within reach. -1 when there is neither. */
const stretchEnd = (json: Uint8Array, start: number): number => {
  const reach = json.subarray(start, start + longestStretch)
  const bracket = reach.indexOf(closing)
  const end = bracket === -1 ? reach.lastIndexOf(comma) : bracket
  return end <= 0 ? -1 : start + end
}

/** What is between commas, when all of it is finite numbers. */
const parseNumbers = (json: Uint8Array): ReadonlyArray<number> | undefined => {
  try {
    const values: unknown = JSON.parse(`[${utf8.decode(json)}]`)
    return Array.isArray(values) && values.length > 0 && values.every(Number.isFinite) ? values : undefined
  } catch {
    return undefined
  }
}

const bytesTrue = Uint8Array.of(0x74, 0x72, 0x75, 0x65)
const bytesFalse = Uint8Array.of(0x66, 0x61, 0x6c, 0x73, 0x65)

const startsWith = (json: Uint8Array, start: number, word: Uint8Array): boolean => {
  for (let index = 0; index < word.length; index++) if (json[start + index] !== word[index]) return false
  return true
}

/** Index of the closing bracket or of the element after the comma, which come after an element's end; else -1. */
const skipComma = (json: Uint8Array, start: number): number => {
  const at = skipSpace(json, start)
  if (json[at] === closing) return at
  const next = json[at] === comma ? skipSpace(json, at + 1) : -1
  return json[next] === closing ? -1 : next
}

/** Stores numbers from an index on, all at once; false when not all are plainly what the datatype holds. */
type StoreAll<A> = (target: A, start: number, numbers: Float64Array) => boolean

const areWithin = (numbers: Float64Array, minimum: number, maximum: number): boolean => {
  for (let index = 0; index < numbers.length; index++) {
    const value = numbers[index] ?? 0
    if (!(value >= minimum && value <= maximum)) return false
  }
  return true
}

const areIntegers = (numbers: Float64Array, minimum: number, maximum: number): boolean => {
  for (let index = 0; index < numbers.length; index++) {
    const value = numbers[index] ?? 0
    if (!(value >= minimum && value <= maximum && Math.floor(value) === value)) return false
  }
  return true
}

interface NumberArray {
  readonly set: (numbers: Float64Array, start: number) => void
}

const integers =
  (minimum: number, maximum: number): StoreAll<NumberArray> =>
  (target, start, numbers) => {
    if (!areIntegers(numbers, minimum, maximum)) return false
    target.set(numbers, start)
    return true
  }

/** Written as two halves: a bigint for each would be an allocation for each. */
const longIntegers =
  (minimum: number): StoreAll<BigInt64Array | BigUint64Array> =>
  (target, start, numbers) => {
    if (!areIntegers(numbers, minimum, Number.MAX_SAFE_INTEGER)) return false
    const halves = new Uint32Array(target.buffer, target.byteOffset + 8 * start, 2 * numbers.length)
    let half = 0
    for (const value of numbers) {
      halves[half++] = value
      halves[half++] = Math.floor(value / 2 ** 32)
    }
    return true
  }

const storeAll: { readonly [D in NumericDatatype]: StoreAll<TensorArrays[D]> } = {
  BOOL: integers(0, 1),
  UINT8: integers(0, 255),
  UINT16: integers(0, 65_535),
  UINT32: integers(0, 4_294_967_295),
  UINT64: longIntegers(0),
  INT8: integers(-128, 127),
  INT16: integers(-32_768, 32_767),
  INT32: integers(-2_147_483_648, 2_147_483_647),
  INT64: longIntegers(Number.MIN_SAFE_INTEGER),
  FP16: () => false,
  BF16: () => false,
  FP32: (target, start, numbers) => {
    if (!areWithin(numbers, -largestFP32, largestFP32)) return false
    target.set(numbers, start)
    return true
  },
  FP64: (target, start, numbers) => {
    target.set(numbers, start)
    return true
  },
}

const notFinite: Readonly<Record<string, number>> = { NaN: Number.NaN, Infinity, "-Infinity": -Infinity }

const isFloat = (datatype: Datatype) => datatype.startsWith("FP") || datatype === "BF16"
const isLong = (datatype: Datatype) => datatype === "INT64" || datatype === "UINT64"

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

const numericElements = <D extends NumericDatatype>(
  json: Uint8Array,
  start: number,
  datatype: D,
  { words = false, exact = false }: ScanOptions,
): JsonElements => {
  const numbers = new JsonNumbers(json, datatype === "FP32")
  const named = words && isFloat(datatype) ? notFinite : {}
  const store = storeElement[datatype]
  // Floats take some twenty bytes of text; where elements take less, the array grows.
  let data = allocate[datatype](Math.max(16, (json.length - start) >> 4))
  let stored = 0

  const reserve = (count: number) => {
    if (count <= data.length) return
    const larger = allocate[datatype](Math.max(count, 2 * data.length))
    bytesOf(larger).set(bytesOf(data))
    data = larger
  }

  const flush = (): boolean => {
    const values = numbers.values.subarray(0, numbers.count)
    reserve(stored + values.length)
    if (!storeAll[datatype](data, stored, values))
      for (let index = 0; index < values.length; index++)
        if (store(data, stored + index, values[index]) !== undefined) return false
    stored += values.length
    numbers.count = 0
    return true
  }

  const push = (value: number): boolean => {
    numbers.values[numbers.count++] = value
    return numbers.count < numbers.values.length || flush()
  }

  const pushLong = (value: bigint): boolean => {
    if (!flush()) return false
    reserve(stored + 1)
    return store(data, stored++, value) === undefined
  }

  /** One element that is not plainly a number. */
  const pushText = (text: string): boolean => {
    const name = Object.hasOwn(named, text) ? named[text] : undefined
    if (name !== undefined) return push(name)
    const match = number.exec(text)
    if (match === null) return false
    const value = Number(text)
    const isInteger = match.groups?.["fraction"] === undefined && match.groups?.["exponent"] === undefined
    if (isLong(datatype) && isInteger && !Number.isSafeInteger(value)) return exact && pushLong(BigInt(text))
    return Number.isFinite(value) && push(value)
  }

  let texts = 0
  let mayStretch = !isLong(datatype)

  /**
   * Where many numbers are not plain, a stretch of the row by `JSON.parse`. Gives its end, -1 when the tensor is to be
   * left alone, and undefined when there are not only numbers.
   */
  const pushStretch = (start: number): number | undefined => {
    const end = stretchEnd(json, start)
    const values = end === -1 ? undefined : parseNumbers(json.subarray(start, end))
    if (values === undefined) return undefined
    for (const value of values) if (!push(value)) return -1
    return end
  }

  /** Something that is not plainly a number, or several; gives the end, or -1. */
  const pushOther = (start: number): number => {
    if (mayStretch && ++texts > plentyOfTexts) {
      const end = pushStretch(start)
      if (end !== undefined) return end
      mayStretch = false
    }
    const text = elementText(json, start)
    return text !== undefined && pushText(text) ? start + text.length : -1
  }

  const pushBoolean = (start: number): number => {
    const isTrue = startsWith(json, start, bytesTrue)
    if (!isTrue && !startsWith(json, start, bytesFalse)) return -1
    return push(isTrue ? 1 : 0) ? start + (isTrue ? bytesTrue : bytesFalse).length : -1
  }

  return {
    get count() {
      return stored + numbers.count
    },
    row: (start) => {
      for (let at = start; ; ) {
        if (datatype !== "BOOL") {
          at = numbers.read(at)
          const isFull = numbers.count === numbers.values.length
          if (isFull && !flush()) return -1
          if (numbers.closed) return at
          if (isFull) continue
        }
        const end = datatype === "BOOL" ? pushBoolean(at) : pushOther(at)
        if (end === -1) return -1
        at = skipComma(json, end)
        if (at === -1 || json[at] === closing) return at
      }
    },
    take: () => {
      if (!flush()) return undefined
      if (stored === data.length) return data
      const whole = allocate[datatype](stored)
      bytesOf(whole).set(bytesOf(data).subarray(0, bytesOf(whole).length))
      return whole
    },
  }
}

/** Whether a string's bytes mean themselves: ASCII without escapes. */
const isPlain = (bytes: Uint8Array): boolean => {
  for (const code of bytes) if (code < 0x20 || code === 0x5c || code > 0x7e) return false
  return true
}

/** The bytes that a string in JSON stands for; undefined when it is not plainly one. */
const stringBytes = (json: Uint8Array, start: number, end: number): Uint8Array | undefined => {
  const inside = json.subarray(start + 1, end - 1)
  if (isPlain(inside)) return inside
  try {
    return bytesElement(JSON.parse(utf8.decode(json.subarray(start, end))))
  } catch {
    return undefined
  }
}

/** Each element is an array of its own, many times its text: more of them are left alone. */
const mostTexts = 1_048_576

/** The elements are views of `json` where they can be. */
const bytesElements = (json: Uint8Array): JsonElements => {
  const data: Array<Uint8Array> = []
  return {
    get count() {
      return data.length
    },
    row: (start) => {
      for (let at = start; ; ) {
        const end = json[at] === 0x22 ? skipString(json, at) : -1
        const element = end === -1 ? undefined : stringBytes(json, at, end)
        if (element === undefined || data.length === mostTexts) return -1
        data.push(element)
        at = skipComma(json, end)
        if (at === -1 || json[at] === closing) return at
      }
    },
    take: () => data,
  }
}

/** The elements of arrays that begin at `start`. */
export const jsonElements = (
  json: Uint8Array,
  start: number,
  datatype: Datatype,
  options: ScanOptions,
): JsonElements =>
  datatype === "BYTES" ? bytesElements(json) : numericElements(json, start, datatype, options)
