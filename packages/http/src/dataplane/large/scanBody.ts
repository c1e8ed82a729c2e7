/**
 * Large bodies, read without making JavaScript values of their tensors. One pass over the structure finds the tensors
 * and reads each where it stands; all else, which is little, goes to `JSON.parse`. What is not plainly a request is
 * left alone: `wholeBody.ts` reads it as small bodies are read, and says what is wrong. Imports nothing of Effect, so
 * that a worker starts at once.
 */
import {
  elementCount,
  isDatatype,
  isSize,
  scanTensor,
  skipSpace,
  skipString,
  skipValue,
} from "@modelforge/core/json"
import type { Datatype, Tensor } from "@modelforge/core/model"
import { hasLongIntegers } from "../json/exactJson.ts"
import { isTooDeep } from "../json/nesting.ts"
import { maxTensors } from "../request/maxTensors.ts"

export interface ScannedBody {
  /** The body with `[]` in the place of each tensor. */
  readonly value: unknown
  /** Tensors by the name (predict) or the index (infer) of their input. */
  readonly tensors: ReadonlyMap<string | number, Tensor>
}

/** How much there may be beside the tensors, in bytes. */
const mostBeside = 64 * 1024

const brace = 0x7b
const closingBrace = 0x7d
const bracket = 0x5b
const closingBracket = 0x5d
const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** What these functions throw to leave a body alone: the way out of the depth. */
class NotPlain extends Error {}

const expect: (isPlain: boolean) => asserts isPlain = (isPlain) => {
  if (!isPlain) throw new NotPlain()
}

/** Index after a value. */
const pass = (json: Uint8Array, start: number): number => {
  const end = skipValue(json, start)
  expect(end !== -1)
  return end
}

/** The characters of a string without escapes, and the index after it. */
const readString = (json: Uint8Array, start: number): readonly [string, number] => {
  expect(json[start] === quote)
  const end = skipString(json, start)
  expect(end !== -1)
  const inside = json.subarray(start + 1, end - 1)
  expect(!inside.includes(backslash))
  return [utf8.decode(inside), end]
}

/** Visits the items between two brackets. `visit` gets where one begins and gives where it ends. */
const eachItem = (
  json: Uint8Array,
  start: number,
  closing: number,
  visit: (at: number) => number,
): number => {
  let at = skipSpace(json, start + 1)
  if (json[at] === closing) return at + 1
  for (;;) {
    at = skipSpace(json, visit(at))
    if (json[at] === closing) return at + 1
    expect(json[at] === comma)
    at = skipSpace(json, at + 1)
  }
}

/** Visits the members of an object. `visit` gets a name, once, and where its value begins, and gives where this ends. */
const eachMember = (json: Uint8Array, start: number, visit: (name: string, at: number) => number): number => {
  const names = new Set<string>()
  return eachItem(json, start, closingBrace, (at) => {
    const [name, end] = readString(json, at)
    // The last of several members counts, and its place is the first's: not worth to be known twice.
    expect(!names.has(name) && name !== "__proto__")
    names.add(name)
    const after = skipSpace(json, end)
    expect(json[after] === colon)
    return visit(name, skipSpace(json, after + 1))
  })
}

interface Found {
  readonly key: string | number
  readonly tensor: Tensor
  readonly start: number
  readonly end: number
}

/** What is known of a body in which tensors were found. */
interface BodyBeside {
  readonly inputs?: Readonly<Record<string | number, { readonly shape?: unknown }>>
}

/** The text of the body with `[]` for each tensor, parsed. */
const parseBeside = (json: Uint8Array, start: number, found: ReadonlyArray<Found>): BodyBeside => {
  const parts: Array<string> = []
  let from = start
  let size = 0
  for (const next of [...found, { start: json.length, end: json.length }]) {
    size += next.start - from
    expect(size <= mostBeside)
    parts.push(utf8.decode(json.subarray(from, next.start)))
    from = next.end
  }
  const text = parts.join("[]")
  expect(!hasLongIntegers(text) && !isTooDeep(text))
  return JSON.parse(text)
}

const byteOrderMark = (json: Uint8Array): number =>
  json[0] === 0xef && json[1] === 0xbb && json[2] === 0xbf ? 3 : 0

interface Reading {
  /** Visits a member of the body; gives where it ends. */
  readonly find: (member: string, at: number, found: Array<Found>) => number
  /** A tensor that was found, in the shape that the rest of the body gives it. */
  readonly shape: (found: Found, value: BodyBeside) => Tensor
}

const scanBody = (json: Uint8Array, { find, shape }: Reading): ScannedBody | undefined => {
  try {
    const mark = byteOrderMark(json)
    const start = skipSpace(json, mark)
    expect(json[start] === brace)
    const found: Array<Found> = []
    const end = eachMember(json, start, (name, at) => find(name, at, found))
    expect(skipSpace(json, end) === json.length)
    const value = parseBeside(json, mark, found)
    return { value, tensors: new Map(found.map((one) => [one.key, shape(one, value)])) }
  } catch {
    return undefined
  }
}

const scanArray = (
  json: Uint8Array,
  start: number,
  datatype: Datatype,
  options: { readonly words: boolean; readonly exact: boolean },
) => {
  const scanned = scanTensor(json, start, datatype, options)
  expect(scanned !== undefined)
  return scanned
}

/** A `/v1` body. `exact` says whether 64-bit integers are wanted; arrays of inputs without a datatype are left alone. */
export const scanPredict = (
  json: Uint8Array,
  datatypes: ReadonlyMap<string, Datatype>,
  exact: boolean,
): ScannedBody | undefined =>
  scanBody(json, {
    find: (member, at, found) => {
      if (member !== "inputs" || json[at] !== brace) return pass(json, at)
      return eachMember(json, at, (key, start) => {
        if (json[start] !== bracket) return pass(json, start)
        const datatype = datatypes.get(key)
        expect(datatype !== undefined)
        const { tensor, end } = scanArray(json, start, datatype, { words: false, exact })
        found.push({ key, tensor, start, end })
        return end
      })
    },
    shape: ({ tensor }) => tensor,
  })

/** One input of a V2 body, whose members come in any order. */
const scanInput = (
  json: Uint8Array,
  start: number,
  key: number,
  exact: boolean,
  found: Array<Found>,
): number => {
  const options = { words: true, exact }
  let datatype: Datatype | undefined
  let passed: { readonly start: number; readonly end: number } | undefined
  const end = eachMember(json, start, (member, at) => {
    if (member === "datatype") {
      const [text, end] = readString(json, at)
      expect(isDatatype(text))
      datatype = text
      return end
    }
    if (member !== "data" || json[at] !== bracket) return pass(json, at)
    if (datatype === undefined) {
      passed = { start: at, end: pass(json, at) }
      return passed.end
    }
    const { tensor, end } = scanArray(json, at, datatype, options)
    found.push({ key, tensor, start: at, end })
    return end
  })
  if (passed !== undefined) {
    if (datatype === undefined) throw new NotPlain()
    const { tensor, end } = scanArray(json, passed.start, datatype, options)
    expect(end === passed.end)
    found.push({ key, tensor, ...passed })
  }
  return end
}

/** The tensor in the shape that the client gave, which flat elements do not show. */
const inShape = (tensor: Tensor, shape: unknown): Tensor => {
  expect(Array.isArray(shape) && shape.every(isSize))
  const { shape: nesting, data } = tensor
  const isNested = shape.length > 1 && nesting.length > 1
  expect(isNested ? String(nesting) === String(shape) : nesting.length === 1)
  expect(data.length === elementCount(shape))
  return { ...tensor, shape }
}

/** A V2 body without bytes behind its JSON. `exact` says whether 64-bit integers are wanted. */
export const scanInfer = (json: Uint8Array, exact: boolean): ScannedBody | undefined =>
  scanBody(json, {
    find: (member, at, found) => {
      if (member !== "inputs" || json[at] !== bracket) return pass(json, at)
      let index = 0
      return eachItem(json, at, closingBracket, (start) => {
        // Each is given memory for as many elements as there may be.
        expect(json[start] === brace && index < maxTensors)
        return scanInput(json, start, index++, exact, found)
      })
    },
    shape: ({ key, tensor }, { inputs }) => inShape(tensor, inputs?.[key]?.shape),
  })
