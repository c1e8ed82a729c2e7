/** The inputs of requests that run together: tensors of one name, whose rows lie behind each other. */
import type { Tensor, Tensors } from "@modelforge/core"

/** Inputs that can't be sent or joined; checked inputs always can, unless they are very large. */
export class UnsendableInputs extends Error {
  override readonly name = "UnsendableInputs"
}

/** The tensors of one input, one a member. */
export const tensorsOf = (members: ReadonlyArray<Tensors>, name: string): ReadonlyArray<Tensor> =>
  members.map((member) => {
    const tensor = member[name]
    if (tensor === undefined) throw new UnsendableInputs(`input "${name}" is missing`)
    return tensor
  })

const countOf = (shape: ReadonlyArray<number>): number => {
  let count = 1
  for (const size of shape) count *= size
  return count
}

/** The first one's datatype, and the shape of all together. */
export const joinedHead = (
  name: string,
  tensors: ReadonlyArray<Tensor>,
): Pick<Tensor, "datatype" | "shape"> => {
  const [first] = tensors
  if (first === undefined) throw new UnsendableInputs("there are no inputs")
  const { datatype, shape } = first
  let rows = 0
  for (const tensor of tensors) {
    if (tensor.data.length !== countOf(tensor.shape)) {
      throw new UnsendableInputs(`input "${name}" has not as many elements as its shape says`)
    }
    if (
      tensor !== first &&
      (tensor.datatype !== datatype ||
        tensor.shape.length !== shape.length ||
        tensor.shape.some((size, index) => index > 0 && size !== shape[index]))
    ) {
      throw new UnsendableInputs(`input "${name}" differs between requests in more than its rows`)
    }
    rows += tensor.shape[0] ?? 0
  }
  if (tensors.length === 1) return first
  if (shape.length === 0) throw new UnsendableInputs(`input "${name}" is a scalar, which can't be joined`)
  return { datatype, shape: [rows, ...shape.slice(1)] }
}

const joinTensors = (name: string, tensors: ReadonlyArray<Tensor>): Tensor => {
  const { datatype, shape } = joinedHead(name, tensors)
  if (datatype === "BYTES") {
    return { datatype, shape, data: tensors.flatMap(({ data }) => data as ReadonlyArray<Uint8Array>) }
  }
  const arrays = tensors.map(({ data }) => data as Exclude<Tensor["data"], ReadonlyArray<Uint8Array>>)
  const [first] = arrays
  // An array of the same kind; made of bytes, because the compiler does not follow the pair of datatype and array.
  const bytes = new Uint8Array(countOf(shape) * (first?.BYTES_PER_ELEMENT ?? 1))
  let at = 0
  for (const { buffer, byteOffset, byteLength } of arrays) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at)
    at += byteLength
  }
  const made = first?.constructor as new (buffer: ArrayBuffer) => Tensor["data"]
  return { datatype, shape, data: new made(bytes.buffer) } as Tensor
}

/** One request's inputs as they are; those of several by one copy. */
export const joinMembers = (members: ReadonlyArray<Tensors>): Tensors => {
  const [first = {}] = members
  if (members.length === 1) return first
  const joined: Record<string, Tensor> = {}
  for (const name in first) joined[name] = joinTensors(name, tensorsOf(members, name))
  return joined
}
