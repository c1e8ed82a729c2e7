/** Which compression an answer gets, by the caller's `Accept-Encoding`. */
import { type Coding, codings } from "../request/requestHead.ts"
import type { ResponseBody } from "./response.ts"

/** A text below this, in characters, costs more time to compress than the network saves. */
const worthwhileLength = 1024

const weightOf = (parameters: ReadonlyArray<string>): number => {
  for (const parameter of parameters) {
    const [, weight] = /^\s*q\s*=\s*([\d.]+)\s*$/i.exec(parameter) ?? []
    if (weight !== undefined) return Number(weight)
  }
  return 1
}

/**
 * The coding of the greatest weight, undefined for none: `identity` wins a tie when it is listed, gzip the others.
 * HTTP libraries list what they know without being asked; then small answers are not worth it, and neither are the
 * bytes of tensors, which hardly shrink. Who gives weights, or a single coding, means it.
 */
export const acceptedCoding = (header: string, body: ResponseBody): Coding | undefined => {
  const weights = new Map<string, number>()
  for (const entry of header.split(",", 16)) {
    const [name = "", ...parameters] = entry.split(";")
    weights.set(name.trim().toLowerCase(), weightOf(parameters))
  }
  const deliberate = header.includes(";") || weights.size === 1
  if (!deliberate && (typeof body !== "string" || body.length < worthwhileLength)) return undefined
  let best: Coding | undefined
  let greatest = weights.get("identity") ?? 0
  for (const coding of codings) {
    const weight = weights.get(coding) ?? 0
    if (weight > greatest) {
      best = coding
      greatest = weight
    }
  }
  return best
}
