/**
 * Tensors as bytes, as V2 carries them: row-major and little-endian, which is how the machines that run models hold
 * them, so that nothing is copied where it need not be. BOOL is a byte of 0 or 1; FP16 and BF16 are their bits; each
 * element of BYTES follows its length, 4 bytes.
 */
import { type Datatype, elementCount, type NumericDatatype, type Tensor } from "@modelforge/core"
import { Result } from "effect"

/** An array in memory that is there. Its elements have to lie at a multiple of their width. */
interface ElementArray {
  readonly BYTES_PER_ELEMENT: number
  new (memory: ArrayBufferLike, offset: number, count: number): Tensor["data"]
}

const arrays: { readonly [D in NumericDatatype]: ElementArray } = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  BF16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
}

/** Each element is an array of its own, many times its bytes: empty ones would fill the memory at 4 bytes each. */
const maxElements = 1_048_576

const describeShape = (datatype: Datatype, shape: ReadonlyArray<number>) =>
  `${datatype} [${shape.join(", ")}]`

const numeric = (
  datatype: NumericDatatype,
  shape: ReadonlyArray<number>,
  bytes: Uint8Array,
): Result.Result<Tensor, string> => {
  const Elements = arrays[datatype]
  const width = Elements.BYTES_PER_ELEMENT
  // A count beyond 2^53 is not exact, but never that of bytes which were received.
  const count = elementCount(shape)
  if (bytes.length !== count * width)
    return Result.fail(
      `expected ${count * width} bytes for ${describeShape(datatype, shape)}, got ${bytes.length}`,
    )
  const odd = datatype === "BOOL" ? bytes.findIndex((byte) => byte > 1) : -1
  if (odd !== -1) return Result.fail(`expected bytes of 0 or 1 for BOOL, got ${bytes[odd]} at byte ${odd}`)
  const { buffer, byteOffset } = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes)
  // The table pairs each datatype with its array; the compiler does not follow the pair through the union.
  return Result.succeed({ datatype, shape, data: new Elements(buffer, byteOffset, count) } as Tensor)
}

/** Number of elements, or what is wrong with the lengths. Apart from making them: hostile bytes cost only this walk. */
const countElements = (bytes: Uint8Array, view: DataView): Result.Result<number, string> => {
  let count = 0
  for (let at = 0; at < bytes.length; count++) {
    const left = bytes.length - at - 4
    if (left < 0) return Result.fail(`element ${count} ends within its length, which takes 4 bytes`)
    const length = view.getUint32(at, true)
    if (length > left)
      return Result.fail(`element ${count} says it has ${length} bytes, but ${left} are left of the tensor`)
    at += 4 + length
  }
  return Result.succeed(count)
}

const elements = (shape: ReadonlyArray<number>, bytes: Uint8Array): Result.Result<Tensor, string> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const found = countElements(bytes, view)
  if (Result.isFailure(found)) return Result.fail(found.failure)
  const count = found.success
  if (count !== elementCount(shape))
    return Result.fail(`${count} elements, but the shape [${shape.join(", ")}] holds ${elementCount(shape)}`)
  if (count > maxElements)
    return Result.fail(`${count} elements, more than the ${maxElements} that are taken`)
  const data = new Array<Uint8Array>(count)
  for (let index = 0, at = 0; index < count; index++) {
    const start = at + 4
    at = start + view.getUint32(at, true)
    data[index] = bytes.subarray(start, at)
  }
  return Result.succeed({ datatype: "BYTES", shape, data })
}

/** A tensor that lies in `bytes`, or what is wrong with them. `shape` has sizes only. */
export const fromBytes = (
  datatype: Datatype,
  shape: ReadonlyArray<number>,
  bytes: Uint8Array,
): Result.Result<Tensor, string> =>
  datatype === "BYTES" ? elements(shape, bytes) : numeric(datatype, shape, bytes)

const framed = (data: ReadonlyArray<Uint8Array>): Uint8Array => {
  let length = 0
  for (const element of data) length += 4 + element.length
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const element of data) {
    view.setUint32(at, element.length, true)
    bytes.set(element, at + 4)
    at += 4 + element.length
  }
  return bytes
}

/** The tensor's bytes where they lie; those of BYTES are copied, to put the lengths between them. */
export const toBytes = (tensor: Tensor): Uint8Array =>
  tensor.datatype === "BYTES"
    ? framed(tensor.data)
    : new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength)
