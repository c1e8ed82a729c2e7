/** The bytes of a request as they arrived. */

/** In one piece, or in pieces that follow one another. */
export type RequestBody = Uint8Array | ReadonlyArray<Uint8Array>

export const isWhole = (body: RequestBody): body is Uint8Array => body instanceof Uint8Array

export const bodyLength = (body: RequestBody): number => {
  if (isWhole(body)) return body.length
  let length = 0
  for (const piece of body) length += piece.length
  return length
}

/** In one piece. Where it has to be put together, it begins `lead` bytes after a multiple of 8. */
export const joinBody = (body: RequestBody, lead = 0): Uint8Array => {
  if (isWhole(body)) return body
  const [only] = body
  if (only !== undefined && body.length === 1) return only
  const whole = new Uint8Array(lead + bodyLength(body)).subarray(lead)
  copyBody(body, whole)
  return whole
}

/** Writes the pieces one after the other. */
export const copyBody = (pieces: ReadonlyArray<Uint8Array>, target: Uint8Array): void => {
  let at = 0
  for (const piece of pieces) {
    target.set(piece, at)
    at += piece.length
  }
}

/**
 * Bytes to leave free in front of a body that is put together in memory of its own, so that what follows its JSON lies
 * at a multiple of 8, where every datatype can be used in place.
 */
export const leadOf = (jsonLength: number): number => (8 - (jsonLength % 8)) % 8
