/** The raw bytes behind the JSON of a V2 request: one piece for each binary input, in the order of `inputs`. */
import { BadRequestProblem } from "@modelforge/api"

export class BinarySection {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Bytes that nobody has taken yet. */
  get left(): number {
    return this.#bytes.length - this.#at
  }

  /** The next bytes, where they lie; undefined when there are not as many. */
  take(size: number): Uint8Array | undefined {
    if (size > this.left) return undefined
    const start = this.#at
    this.#at += size
    return this.#bytes.subarray(start, this.#at)
  }
}

/** Of a body that is JSON only. Nothing can be taken from it, so that all requests share it. */
export const noBinary = new BinarySection(new Uint8Array(0))

/** A body as its JSON and what follows; `jsonLength` comes from the request's head. */
export const splitBody = (body: Uint8Array, jsonLength: number) => {
  if (jsonLength > body.length)
    throw new BadRequestProblem({
      detail: `Inference-Header-Content-Length is ${jsonLength}, but the body has ${body.length} bytes`,
    })
  return { json: body.subarray(0, jsonLength), binary: new BinarySection(body.subarray(jsonLength)) }
}
