/** One element of each datatype: which JavaScript values it takes, and which it gives. */
import type { Datatype } from "../model/Datatype.ts"
import type { NumericDatatype, TensorArrays } from "../model/Tensor.ts"
import { fromBF16, fromFP16, toBF16, toFP16 } from "./halfFloat.ts"

const longestNumber = 10n ** 40n

/** How a value looks in a message: short, and told apart by its kind. */
export const describeValue = (value: unknown): string => {
  if (typeof value === "string")
    return `the string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value === null) return "null"
  if (typeof value === "object") return "an object"
  if (typeof value === "function") return "a function"
  if (typeof value === "bigint" && (value >= longestNumber || value <= -longestNumber))
    return "an integer of more than 40 digits"
  return String(value)
}

/** What is wrong with an element, or undefined when it was stored. */
type Store<A> = (target: A, index: number, value: unknown) => string | undefined

const integer =
  (datatype: string, minimum: number, maximum: number): Store<{ [index: number]: number }> =>
  (target, index, value) => {
    if (typeof value !== "number" || !Number.isInteger(value))
      return `expected an integer for ${datatype}, got ${describeValue(value)}`
    if (value < minimum || value > maximum)
      return `${value} is out of the range of ${datatype}, ${minimum} to ${maximum}`
    target[index] = value
    return undefined
  }

const longInteger =
  (datatype: string, minimum: bigint, maximum: bigint): Store<{ [index: number]: bigint }> =>
  (target, index, value) => {
    const isNumber = typeof value === "number" && Number.isInteger(value)
    if (isNumber && !Number.isSafeInteger(value))
      return `${value} is beyond 2^53, where a JavaScript number is not exact: give a bigint`
    if (!isNumber && typeof value !== "bigint")
      return `expected an integer for ${datatype}, got ${describeValue(value)}`
    const exact = BigInt(value)
    if (exact < minimum || exact > maximum)
      return `${describeValue(exact)} is out of the range of ${datatype}, ${minimum} to ${maximum}`
    target[index] = exact
    return undefined
  }

const float =
  (datatype: string, stored: (value: number) => number, isInfinite: (stored: number) => boolean) =>
  (target: { [index: number]: number }, index: number, value: unknown): string | undefined => {
    // An integer too long for a number arrives as a bigint; as a float it is as inexact as any other.
    const number = typeof value === "bigint" ? Number(value) : value
    if (typeof number !== "number") return `expected a number for ${datatype}, got ${describeValue(value)}`
    const element = stored(number)
    const isFinite = typeof value === "bigint" || Number.isFinite(number)
    if (isFinite && isInfinite(element)) return `${describeValue(value)} is out of the range of ${datatype}`
    target[index] = element
    return undefined
  }

/** The largest number that is finite as FP32 without being rounded. */
export const largestFP32 = (2 - 2 ** -23) * 2 ** 127

const isInfinity = (value: number) => value === Infinity || value === -Infinity

/** Puts a JavaScript value into an array of a datatype, or says what was expected and what came. */
export const storeElement: { readonly [D in NumericDatatype]: Store<TensorArrays[D]> } = {
  BOOL: (target, index, value) => {
    if (typeof value !== "boolean") return `expected true or false for BOOL, got ${describeValue(value)}`
    target[index] = value ? 1 : 0
    return undefined
  },
  UINT8: integer("UINT8", 0, 255),
  UINT16: integer("UINT16", 0, 65_535),
  UINT32: integer("UINT32", 0, 4_294_967_295),
  UINT64: longInteger("UINT64", 0n, 2n ** 64n - 1n),
  INT8: integer("INT8", -128, 127),
  INT16: integer("INT16", -32_768, 32_767),
  INT32: integer("INT32", -2_147_483_648, 2_147_483_647),
  INT64: longInteger("INT64", -(2n ** 63n), 2n ** 63n - 1n),
  FP16: float("FP16", toFP16, (bits) => (bits & 0x7fff) === 0x7c00),
  BF16: float("BF16", toBF16, (bits) => (bits & 0x7fff) === 0x7f80),
  FP32: float("FP32", Math.fround, isInfinity),
  FP64: float("FP64", (value) => value, isInfinity),
}

const encoder = new TextEncoder()
/** A leading U+FEFF is a character like any other. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** A BYTES element from a string (as UTF-8) or from bytes. */
export const bytesElement = (value: unknown): Uint8Array | undefined => {
  if (typeof value === "string") return encoder.encode(value)
  return value instanceof Uint8Array ? value : undefined
}

const exactNumber = (value: bigint): number | bigint => {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** A JavaScript value of each element; 64-bit integers are numbers as far as these are exact, else bigints. */
export const loadElement: {
  readonly [D in Datatype]: (data: TensorArrays[D], index: number) => number | bigint | boolean | string
} = {
  BOOL: (data, index) => data[index] !== 0,
  UINT8: (data, index) => data[index] ?? 0,
  UINT16: (data, index) => data[index] ?? 0,
  UINT32: (data, index) => data[index] ?? 0,
  UINT64: (data, index) => exactNumber(data[index] ?? 0n),
  INT8: (data, index) => data[index] ?? 0,
  INT16: (data, index) => data[index] ?? 0,
  INT32: (data, index) => data[index] ?? 0,
  INT64: (data, index) => exactNumber(data[index] ?? 0n),
  FP16: (data, index) => fromFP16(data[index] ?? 0),
  BF16: (data, index) => fromBF16(data[index] ?? 0),
  FP32: (data, index) => data[index] ?? 0,
  FP64: (data, index) => data[index] ?? 0,
  BYTES: (data, index) => decoder.decode(data[index]),
}
