/** How deep JSON is nested, told before it is parsed: millions of open brackets cost the parser gigabytes. */
import { skipString } from "./exactJson.ts"

/** Tensors take 32 levels and a few around them. */
export const maxNesting = 100

/** How often `bracket` occurs, in strings or not; stops counting beyond `most`. */
const occurrences = (text: string, bracket: string, most: number): number => {
  let count = 0
  for (let at = text.indexOf(bracket); at !== -1 && count <= most; at = text.indexOf(bracket, at + 1)) count++
  return count
}

const isDeeper = (text: string): boolean => {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 34) at = skipString(text, at) - 1
    else if (code === 91 || code === 123) {
      depth++
      if (depth > maxNesting) return true
    } else if (code === 93 || code === 125) depth--
  }
  return false
}

/** Whether a text has more than 100 levels. Most have fewer brackets than that, which is found at once. */
export const isTooDeep = (text: string): boolean =>
  occurrences(text, "[", maxNesting) + occurrences(text, "{", maxNesting) > maxNesting && isDeeper(text)
