/** Whether servers do the work: their outputs, read from the answer, held against each other. */
import { Schema } from "effect"

const JsonAnswer = Schema.Struct({ outputs: Schema.Struct({ y: Schema.Array(Schema.Array(Schema.Finite)) }) })
const decodeJson = Schema.decodeUnknownSync(JsonAnswer)

/** The output row of an answer with status 200; the binary kind has its elements behind a JSON head. */
export const outputOf = async (response: Response): Promise<ReadonlyArray<number>> => {
  const head = response.headers.get("inference-header-content-length")
  if (head === null) return decodeJson(await response.json()).outputs.y.flat()
  return [...new Float32Array((await response.arrayBuffer()).slice(Number(head)))]
}

/** The same up to what joining rows into one run may round differently. */
export const sameOutput = (left: ReadonlyArray<number>, right: ReadonlyArray<number>): boolean =>
  left.length === right.length &&
  left.every((value, index) => Math.abs(value - (right[index] ?? Number.NaN)) <= 1e-3 * (1 + Math.abs(value)))
