/**
 * JSON whose integers are exact. `JSON.parse` rounds beyond 2^53; its reviver sees the source text, but costs
 * seventeen times the parsing. So long integers are put in quotes before parsing, only where there are any, and
 * turned into bigints after.
 */

/** Cannot be guessed, so no string of a client is taken for one of these. */
const mark = `\u0001${crypto.randomUUID()}:`

/** An integer that may lie beyond 2^53. Matches within strings too: then the slower path is taken for nothing. */
const longInteger = /(?<![\d.eE+-])-?\d{16,}(?![\d.eE])|(?<=[-])\d{16,}(?![\d.eE])/

/** Whether a text may hold integers that `JSON.parse` would round. */
export const hasLongIntegers = (text: string): boolean => longInteger.test(text)

const isDigit = (code: number) => code >= 48 && code <= 57

/** Index after the string that begins at `start`, or the end of the text when it is never closed. */
const skipString = (text: string, start: number): number => {
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

const quoteLongIntegers = (text: string): string => {
  const parts: Array<string> = []
  let copied = 0
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at)
    if (code === 34) at = skipString(text, at)
    else if (code === 45 || isDigit(code)) {
      const { end, integer } = skipNumber(text, at)
      if (integer && end - at >= 16) {
        parts.push(text.slice(copied, at), `"${mark}`, text.slice(at, end), '"')
        copied = end
      }
      at = end
    } else at++
  }
  parts.push(text.slice(copied))
  return parts.join("")
}

/** Digits that are not JSON (`-`, `0123…`) stay for the parser of JSON to refuse. */
const revive = (value: unknown): unknown => {
  if (typeof value === "string") return value.startsWith(mark) ? toInteger(value.slice(mark.length)) : value
  if (Array.isArray(value))
    for (let index = 0; index < value.length; index++) value[index] = revive(value[index])
  else if (typeof value === "object" && value !== null)
    for (const [key, member] of Object.entries(value)) Reflect.set(value, key, revive(member))
  return value
}

const toInteger = (digits: string): number | bigint => {
  if (/^-?0\d/.test(digits)) throw new SyntaxError("a number has a leading zero")
  const number = Number(digits)
  return Number.isSafeInteger(number) ? number : BigInt(digits)
}

/** Like `JSON.parse`, with integers beyond 2^53 as bigints. Throws a `SyntaxError`. */
export const parseExactJson = (text: string): unknown => revive(JSON.parse(quoteLongIntegers(text)))
