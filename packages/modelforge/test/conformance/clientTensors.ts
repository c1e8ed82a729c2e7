/** Tensors as elements in row-major order, and their bytes on the wire (sections 1.3 and 2). */

export type Datatype =
  | "BOOL"
  | "UINT8"
  | "UINT16"
  | "UINT32"
  | "UINT64"
  | "INT8"
  | "INT16"
  | "INT32"
  | "INT64"
  | "FP16"
  | "BF16"
  | "FP32"
  | "FP64"
  | "BYTES"

/** UINT64 and INT64 are bigints, BYTES are byte arrays, BOOL are booleans, all else are numbers. */
export type Element = boolean | number | bigint | Uint8Array

export interface Tensor {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: ReadonlyArray<number>
  readonly data: ReadonlyArray<Element>
}

/** Bytes an element takes; BYTES carry their own lengths. */
const widths: Readonly<Record<Exclude<Datatype, "BYTES">, number>> = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  BF16: 2,
  FP32: 4,
  FP64: 8,
}

const writeHalf = (value: number): number => {
  const single = new DataView(new ArrayBuffer(4))
  single.setFloat32(0, value)
  const bits = single.getUint32(0)
  const sign = (bits >>> 16) & 0x8000
  if (Number.isNaN(value)) return sign | 0x7e00
  const magnitude = Math.abs(value)
  if (magnitude >= 65520) return sign | 0x7c00
  // Below the smallest normal number the steps are all 2^-24 wide; above it a step is 2^-10 of the power of two.
  if (magnitude < 2 ** -14) return sign | roundToEven(magnitude * 2 ** 24)
  const exponent = ((bits >>> 23) & 0xff) - 127
  return sign | (((exponent + 15) << 10) + roundToEven((magnitude / 2 ** exponent - 1) * 1024))
}

const readHalf = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

const roundToEven = (value: number): number => {
  const below = Math.floor(value)
  const rest = value - below
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below
}

const writeElement = (
  datatype: Exclude<Datatype, "BYTES">,
  view: DataView,
  at: number,
  element: Element,
): void => {
  const value = Number(element)
  switch (datatype) {
    case "BOOL":
    case "UINT8":
      view.setUint8(at, value)
      break
    case "INT8":
      view.setInt8(at, value)
      break
    case "UINT16":
      view.setUint16(at, value, true)
      break
    case "INT16":
      view.setInt16(at, value, true)
      break
    case "UINT32":
      view.setUint32(at, value, true)
      break
    case "INT32":
      view.setInt32(at, value, true)
      break
    case "UINT64":
      view.setBigUint64(at, BigInt(element as bigint), true)
      break
    case "INT64":
      view.setBigInt64(at, BigInt(element as bigint), true)
      break
    case "FP16":
      view.setUint16(at, writeHalf(value), true)
      break
    case "BF16": {
      const single = new DataView(new ArrayBuffer(4))
      single.setFloat32(0, value)
      view.setUint16(at, single.getUint16(0), true)
      break
    }
    case "FP32":
      view.setFloat32(at, value, true)
      break
    case "FP64":
      view.setFloat64(at, value, true)
      break
  }
}

/** The bytes of a tensor: little-endian, without padding; a BYTES element is its length in 4 bytes and its bytes. */
export const writeTensor = ({ datatype, data }: Pick<Tensor, "datatype" | "data">): Buffer => {
  if (datatype === "BYTES") {
    return Buffer.concat(
      data.flatMap((element) => {
        const bytes = element as Uint8Array
        const length = Buffer.alloc(4)
        length.writeUInt32LE(bytes.byteLength)
        return [length, bytes]
      }),
    )
  }
  const width = widths[datatype]
  const out = Buffer.alloc(data.length * width)
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength)
  data.forEach((element, index) => {
    writeElement(datatype, view, index * width, element)
  })
  return out
}

const readElement = (datatype: Exclude<Datatype, "BYTES">, view: DataView, at: number): Element => {
  switch (datatype) {
    case "BOOL":
      return view.getUint8(at) !== 0
    case "UINT8":
      return view.getUint8(at)
    case "INT8":
      return view.getInt8(at)
    case "UINT16":
      return view.getUint16(at, true)
    case "INT16":
      return view.getInt16(at, true)
    case "UINT32":
      return view.getUint32(at, true)
    case "INT32":
      return view.getInt32(at, true)
    case "UINT64":
      return view.getBigUint64(at, true)
    case "INT64":
      return view.getBigInt64(at, true)
    case "FP16":
      return readHalf(view.getUint16(at, true))
    case "BF16": {
      const single = new DataView(new ArrayBuffer(4))
      single.setUint16(0, view.getUint16(at, true))
      return single.getFloat32(0)
    }
    case "FP32":
      return view.getFloat32(at, true)
    case "FP64":
      return view.getFloat64(at, true)
  }
}

/** The elements of a tensor's bytes. Throws when they don't divide into elements. */
export const readTensor = (datatype: Datatype, bytes: Uint8Array): Array<Element> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const elements: Array<Element> = []
  if (datatype === "BYTES") {
    let at = 0
    while (at < bytes.byteLength) {
      const length = view.getUint32(at, true)
      if (at + 4 + length > bytes.byteLength)
        throw new RangeError("A BYTES element is longer than its tensor")
      elements.push(bytes.subarray(at + 4, at + 4 + length))
      at += 4 + length
    }
    return elements
  }
  const width = widths[datatype]
  if (bytes.byteLength % width !== 0)
    throw new RangeError(`${bytes.byteLength} bytes are no whole ${datatype}`)
  for (let at = 0; at < bytes.byteLength; at += width) elements.push(readElement(datatype, view, at))
  return elements
}
