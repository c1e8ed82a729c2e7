/** Copies of tensors, for whoever still reads them when their owner may have changed them. */
import type { Tensor, Tensors } from "../model/Tensor.ts"

/** Bytes of the elements. */
export const tensorBytes = (tensors: Tensors): number => {
  let bytes = 0
  for (const { data } of Object.values(tensors))
    if (ArrayBuffer.isView(data)) bytes += data.byteLength
    else for (const element of data) bytes += element.length
  return bytes
}

const copyOf = (tensor: Tensor): Tensor =>
  tensor.datatype === "BYTES"
    ? { ...tensor, data: tensor.data.map((element) => element.slice()) }
    : ({ ...tensor, data: tensor.data.slice() } as Tensor)

export const copyTensors = (tensors: Tensors): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, copyOf(tensor)]))
