/** Gives each request of a joined run its own rows, as views of the joined outputs. */
import type { Datatype } from "../model/Datatype.ts"
import { elementCount, emptyTensors, type Tensor, type TensorOf, type Tensors } from "../model/Tensor.ts"

const rowsOf = <D extends Datatype>(tensor: TensorOf<D>, from: number, to: number): Tensor => {
  const [, ...inner] = tensor.shape
  const width = elementCount(inner)
  const data = tensor.data
  const part = Array.isArray(data)
    ? data.slice(from * width, to * width)
    : (data as Exclude<typeof data, ReadonlyArray<Uint8Array>>).subarray(from * width, to * width)
  // The array is of the same kind as the one it was cut from; the compiler does not follow that through the union.
  return { datatype: tensor.datatype, shape: [to - from, ...inner], data: part } as Tensor
}

/** Whether every output has one row for each row that went in. */
export const isSplittable = (outputs: Tensors, rows: number): boolean =>
  Object.values(outputs).every(({ shape }) => shape.length > 0 && shape[0] === rows)

/** Rows `from` to `to` of the outputs named. */
export const splitRows = (
  outputs: Tensors,
  names: ReadonlyArray<string>,
  from: number,
  to: number,
): Tensors => {
  const own = emptyTensors()
  for (const name of names) {
    const tensor = outputs[name]
    if (tensor !== undefined) own[name] = rowsOf(tensor, from, to)
  }
  return own
}
