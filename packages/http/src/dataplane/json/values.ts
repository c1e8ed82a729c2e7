/**
 * How many values JSON would become, told before it is parsed: an empty array takes two bytes of text and some thirty of
 * memory, so that 64 MB of them would take a gigabyte and more.
 */
import { skipString } from "@modelforge/core/json"

/** Arrays, objects and strings, names of members among them. */
export const maxValues = 1_048_576
/** Numbers and the like: what commas separate. */
export const maxElements = 16 * 1_048_576

/** Whether there are more than are taken. Exact for JSON; of anything else the parser says what it is. */
export const hasTooManyValues = (json: Uint8Array): boolean => {
  // Each takes two bytes at least.
  if (json.length <= 2 * maxValues) return false
  let values = 0
  let elements = 0
  for (let at = 0; at < json.length; at++) {
    const code = json[at]
    if (code === 0x2c) elements++
    else if (code === 0x22) {
      values++
      const end = skipString(json, at)
      if (end === -1) return false
      at = end - 1
    } else if (code === 0x5b || code === 0x7b) values++
    if (values > maxValues || elements > maxElements) return true
  }
  return false
}
