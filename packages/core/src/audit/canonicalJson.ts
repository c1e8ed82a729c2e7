/** One text for equal JSON: what is hashed. */
import type { Schema } from "effect"

/**
 * As RFC 8785 says: members sorted by their names' UTF-16 units, no space, strings and numbers as JavaScript writes them. Of
 * its demands, only I-JSON's on texts is not checked: lone surrogates are written as escapes.
 */
export const canonicalJson = (value: Schema.Json): string => {
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  if (isArray(value)) return `[${value.map(canonicalJson).join(",")}]`
  const members = Object.entries(value)
    // Not localeCompare: the order must not depend on a language.
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`)
  return `{${members.join(",")}}`
}

/** `Array.isArray` does not tell readonly arrays from objects. */
const isArray = (value: object): value is Schema.JsonArray => Array.isArray(value)
