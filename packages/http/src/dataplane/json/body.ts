/** The bytes of a body as JSON, or the problem with them. */
import { BadRequestProblem } from "@modelforge/api"
import type { Signature } from "@modelforge/core"
import { hasLongIntegers, hasNonFinite, parseExactJson, takesLongIntegers } from "./exactJson.ts"
import { isTooDeep, maxNesting } from "./nesting.ts"
import { hasTooManyValues, maxElements, maxValues } from "./values.ts"

const utf8 = new TextDecoder("utf-8", { fatal: true })

const decodeText = (body: Uint8Array): string => {
  if (body.length === 0)
    throw new BadRequestProblem({ detail: "The body is empty: send a JSON object with the inputs" })
  try {
    return utf8.decode(body)
  } catch {
    throw new BadRequestProblem({ detail: "The body is not JSON: it is not UTF-8 text" })
  }
}

const parse = (text: string, parser: (text: string) => unknown): unknown => {
  try {
    return parser(text)
  } catch (error) {
    throw new BadRequestProblem({ detail: `The body is not JSON: ${syntaxOf(error)}` })
  }
}

/** What the parser says of the place, shortened: it quotes the body. */
const syntaxOf = (error: unknown): string =>
  error instanceof Error ? error.message.replace(/^JSON\.parse: /, "").slice(0, 200) : "it can't be parsed"

const parseable = (body: Uint8Array): string => {
  if (hasTooManyValues(body))
    throw new BadRequestProblem({
      detail: `The body has more than ${maxValues} arrays, objects and strings, or ${maxElements} elements: send fewer at once, or tensors as bytes`,
    })
  const text = decodeText(body)
  if (isTooDeep(text))
    throw new BadRequestProblem({ detail: `The body is nested deeper than ${maxNesting} levels` })
  return text
}

/** A parsed body that can be read again with exact integers once the signature is known. */
export interface JsonBody {
  readonly value: unknown
  /** The value with integers beyond 2^53 as bigints, where the signature has a use for them. */
  readonly exactFor: (signature: Signature) => unknown
}

/** `words` says whether `NaN`, `Infinity` and `-Infinity` are taken for numbers, which JSON does not have. */
export const parseBody = (body: Uint8Array, words = false): JsonBody => {
  const text = parseable(body)
  const exact = (source: string) => parseExactJson(source, words)
  const value = parse(text, words ? parseWithWords : JSON.parse)
  return {
    value,
    exactFor: (signature) =>
      takesLongIntegers(signature) && hasLongIntegers(text) ? parse(text, exact) : value,
  }
}

/** JSON as it should be is by far the most frequent, and read the fastest way. */
const parseWithWords = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (hasNonFinite(text)) return parseExactJson(text, true)
    throw error
  }
}
