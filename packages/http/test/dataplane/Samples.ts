/** Tensors of every datatype, made up from a seed. */
import { allocate, type Datatype, elementCount, type Tensor } from "@modelforge/core"
import type { Random } from "../../../core/test/random.ts"

const bytes = (dice: Random, length: number) => Uint8Array.from({ length }, () => dice.int(256))

/** Any bits are elements, but those of BOOL are 0 or 1. */
export const sampleTensor = (dice: Random, datatype: Datatype, shape: ReadonlyArray<number>): Tensor => {
  const count = elementCount(shape)
  if (datatype === "BYTES")
    return { datatype, shape, data: Array.from({ length: count }, () => bytes(dice, dice.int(6))) }
  const data = allocate[datatype](count)
  const memory = new Uint8Array(data.buffer)
  memory.set(bytes(dice, memory.length).map((byte) => (datatype === "BOOL" ? byte % 2 : byte)))
  return { datatype, shape, data } as Tensor
}

export const sampleShape = (dice: Random): ReadonlyArray<number> =>
  Array.from({ length: dice.int(4) }, () => dice.int(5))
