/**
 * The JSON the protocol speaks (section 1.3): integers are exact beyond 2^53, and numbers may be a bare `NaN`,
 * `Infinity` or `-Infinity`, which JSON.parse and JSON.stringify know nothing of.
 */

export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | ReadonlyArray<Json>
  | { readonly [name: string]: Json }

/** Writes a value: a bigint as its digits, a non-finite number bare, a member that is undefined not at all. */
export const writeJson = (value: unknown): string => {
  if (value === null) return "null"
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") {
    return Object.is(value, -0) ? "-0.0" : String(value)
  }
  if (typeof value === "string") return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(writeJson).join(",")}]`
  if (typeof value !== "object") throw new TypeError(`A ${typeof value} has no form in JSON`)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${writeJson(member)}`).join(",")}}`
}

const whitespace = /[ \t\n\r]*/y
const string = /"(?:[^"\\]|\\.)*"/y
const number = /-?(?:Infinity|NaN|(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y
const word = /true|false|null/y

/** Reads a text. An integer that a number can't hold comes as a bigint. Throws a SyntaxError with the place of what it can't read. */
export const readJson = (text: string): Json => {
  let at = 0

  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    at += found?.length ?? 0
    return found
  }
  const fail = (): never => {
    throw new SyntaxError(`Not JSON at ${at}: ${JSON.stringify(text.slice(at, at + 20))}`)
  }
  const punctuation = (mark: string): boolean => {
    take(whitespace)
    if (text[at] !== mark) return false
    at += 1
    return true
  }
  const expect = (mark: string): void => {
    if (!punctuation(mark)) fail()
  }

  const value = (): Json => {
    take(whitespace)
    if (punctuation("[")) {
      const elements: Array<Json> = []
      if (punctuation("]")) return elements
      do elements.push(value())
      while (punctuation(","))
      expect("]")
      return elements
    }
    if (punctuation("{")) {
      const members: Array<[string, Json]> = []
      if (punctuation("}")) return {}
      do {
        take(whitespace)
        const name = take(string) ?? fail()
        expect(":")
        members.push([JSON.parse(name) as string, value()])
      } while (punctuation(","))
      expect("}")
      return Object.fromEntries(members)
    }
    const quoted = take(string)
    if (quoted !== undefined) return JSON.parse(quoted) as string
    const named = take(word)
    if (named !== undefined) return JSON.parse(named) as boolean | null
    const digits = take(number) ?? fail()
    const read = Number(digits)
    return /^-?\d+$/.test(digits) && !Number.isSafeInteger(read) ? BigInt(digits) : read
  }

  const read = value()
  take(whitespace)
  return at === text.length ? read : fail()
}
