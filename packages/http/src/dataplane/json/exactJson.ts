/**
 * JSON whose integers are exact. `JSON.parse` rounds beyond 2^53; its reviver sees the source text, but costs
 * seventeen times the parsing. So long integers are put in quotes before parsing, only where there are any, and
 * turned into bigints after. The same way `NaN` and infinities are read, which JSON does not have and clients of
 * Triton send.
 */
import type { Signature } from "@modelforge/core"

/** Whether a signature has a use for integers beyond 2^53. */
export const takesLongIntegers = ({ inputs }: Signature): boolean =>
  inputs.some(({ datatype }) => datatype === "INT64" || datatype === "UINT64")

/** Cannot be guessed, so no string of a client is taken for one of these. */
const mark = `${crypto.randomUUID()}:`

/** An integer that may lie beyond 2^53. Matches within strings too: then the slower path is taken for nothing. */
const longInteger = /(?<![\d.eE+-])-?\d{16,}(?![\d.eE])|(?<=[-])\d{16,}(?![\d.eE])/

/** Whether a text may hold integers that `JSON.parse` would round. */
export const hasLongIntegers = (text: string): boolean => longInteger.test(text)

const isDigit = (code: number) => code >= 48 && code <= 57

/** Index after the string that begins at `start`, or the end of the text when it is never closed. */
export const skipString = (text: string, start: number): number => {
  let end = start
  for (;;) {
    end = text.indexOf('"', end + 1)
    if (end === -1) return text.length
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === 92) slashes++
    if (slashes % 2 === 0) return end + 1
  }
}

/** Index after the number that begins at `start`, and whether it is an integer. */
const skipNumber = (text: string, start: number): { end: number; integer: boolean } => {
  let end = start + 1
  while (isDigit(text.charCodeAt(end))) end++
  const integer = !/[.eE]/.test(text.charAt(end))
  if (!integer) while (/[\d.eE+-]/.test(text.charAt(end))) end++
  return { end, integer }
}

/** At a place outside strings: a number that JSON does not have. */
const nonFinite = /NaN|-?Infinity/y

/** Index after the non-finite number that begins at `start`; `start` itself when there is none. */
const skipNonFinite = (text: string, start: number): number => {
  nonFinite.lastIndex = start
  return nonFinite.test(text) ? nonFinite.lastIndex : start
}

/** Puts the numbers that the parser would round or refuse in quotes, behind the mark. */
const quoteNumbers = (text: string, words: boolean): string => {
  const parts: Array<string> = []
  let copied = 0
  const quote = (start: number, end: number) => {
    parts.push(text.slice(copied, start), `"${mark}`, text.slice(start, end), '"')
    copied = end
  }
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at)
    const word = words && (code === 45 || code === 73 || code === 78) ? skipNonFinite(text, at) : at
    if (word > at) {
      quote(at, word)
      at = word
    } else if (code === 34) at = skipString(text, at)
    else if (code === 45 || isDigit(code)) {
      const { end, integer } = skipNumber(text, at)
      if (integer && end - at >= 16) quote(at, end)
      at = end
    } else at++
  }
  parts.push(text.slice(copied))
  return parts.join("")
}

const isMarked = (value: unknown): value is string => typeof value === "string" && value.startsWith(mark)

/** Puts numbers back in the place of what was quoted. Without recursion: the nesting is the client's. */
const revive = (value: unknown): unknown => {
  const root = [value]
  const pending: Array<object> = [root]
  for (let container = pending.pop(); container !== undefined; container = pending.pop()) {
    const visit = (key: string | number, member: unknown) => {
      if (isMarked(member)) Reflect.set(container, key, toNumber(member.slice(mark.length)))
      else if (typeof member === "object" && member !== null) pending.push(member)
    }
    if (Array.isArray(container))
      for (let index = 0; index < container.length; index++) visit(index, container[index])
    else
      for (const [key, member] of Object.entries(container)) {
        if (isMarked(key)) throw new SyntaxError("A member's name is not in quotes")
        visit(key, member)
      }
  }
  return root[0]
}

const toNumber = (digits: string): number | bigint => {
  if (/^-?0\d/.test(digits)) throw new SyntaxError("A number has a leading zero")
  const number = Number(digits)
  return Number.isSafeInteger(number) || !Number.isInteger(number) ? number : BigInt(digits)
}

/** Whether a text that is not JSON may be so only for its non-finite numbers. */
export const hasNonFinite = (text: string): boolean => /NaN|Infinity/.test(text)

/**
 * Like `JSON.parse`, with integers beyond 2^53 as bigints and, where `words` are taken, `NaN`, `Infinity` and
 * `-Infinity` as numbers. Throws a `SyntaxError`.
 */
export const parseExactJson = (text: string, words = false): unknown =>
  revive(JSON.parse(quoteNumbers(text, words)))
