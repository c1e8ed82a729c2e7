/** Finding the way in JSON's bytes, without judging them. */

const quote = 0x22
const backslash = 0x5c

/** Index of the first byte from `start` on that is not white space. */
export const skipSpace = (json: Uint8Array, start: number): number => {
  let at = start
  for (;;) {
    const code = json[at]
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at
    at++
  }
}

/** Index after the string whose opening quote is at `start`, or -1 when it is never closed. */
export const skipString = (json: Uint8Array, start: number): number => {
  for (let at = start + 1; at < json.length; at++) {
    const code = json[at]
    if (code === quote) return at + 1
    if (code === backslash) at++
  }
  return -1
}

/**
 * Index after the value that begins at `start`, or -1 when the end comes first. In JSON this is the value's end;
 * in anything else it is some place.
 */
export const skipValue = (json: Uint8Array, start: number): number => {
  let depth = 0
  for (let at = start; at < json.length; ) {
    const code = json[at]
    if (code === quote) {
      at = skipString(json, at)
      if (at === -1) return -1
      if (depth === 0) return at
      continue
    }
    if (code === 0x5b || code === 0x7b) depth++
    else if (code === 0x5d || code === 0x7d) {
      // The bracket of what the value stands in ends it, too.
      if (depth === 0) return at
      depth--
      if (depth === 0) return at + 1
    } else if (code === 0x2c && depth === 0) return at
    at++
  }
  return -1
}
