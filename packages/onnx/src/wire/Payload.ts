/**
 * Payloads of frames: first the small things (numbers, texts, names and shapes), then the elements of the tensors,
 * each at a multiple of 8, as they lie in memory.
 */
import type { Datatype, NumericDatatype, Tensor, TensorArrays, Tensors } from "@modelforge/core"
import { headerBytes, maxPayloadBytes, type OutgoingFrame, ProtocolError, writeHeader } from "./Frame.ts"
import { joinedHead, tensorsOf, UnsendableInputs } from "./Members.ts"

/** Up to this size a frame is put together in one buffer; beyond, its tensors are written from where they lie. */
const joinBelow = 32 * 1024

/** Written out: the domain's own list comes with Effect, which a runner must not wait for when it starts. */
const datatypes: ReadonlyArray<Datatype> = [
  "BOOL",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "FP16",
  "BF16",
  "FP32",
  "FP64",
  "BYTES",
]
const codes = new Map(datatypes.map((datatype, code) => [datatype, code]))

const views: {
  readonly [D in NumericDatatype]: {
    readonly width: number
    readonly view: (buffer: ArrayBufferLike, offset: number, count: number) => TensorArrays[D]
  }
} = {
  BOOL: { width: 1, view: (buffer, offset, count) => new Uint8Array(buffer, offset, count) },
  UINT8: { width: 1, view: (buffer, offset, count) => new Uint8Array(buffer, offset, count) },
  UINT16: { width: 2, view: (buffer, offset, count) => new Uint16Array(buffer, offset, count) },
  UINT32: { width: 4, view: (buffer, offset, count) => new Uint32Array(buffer, offset, count) },
  UINT64: { width: 8, view: (buffer, offset, count) => new BigUint64Array(buffer, offset, count) },
  INT8: { width: 1, view: (buffer, offset, count) => new Int8Array(buffer, offset, count) },
  INT16: { width: 2, view: (buffer, offset, count) => new Int16Array(buffer, offset, count) },
  INT32: { width: 4, view: (buffer, offset, count) => new Int32Array(buffer, offset, count) },
  INT64: { width: 8, view: (buffer, offset, count) => new BigInt64Array(buffer, offset, count) },
  FP16: { width: 2, view: (buffer, offset, count) => new Uint16Array(buffer, offset, count) },
  BF16: { width: 2, view: (buffer, offset, count) => new Uint16Array(buffer, offset, count) },
  FP32: { width: 4, view: (buffer, offset, count) => new Float32Array(buffer, offset, count) },
  FP64: { width: 8, view: (buffer, offset, count) => new Float64Array(buffer, offset, count) },
}

const padded = (length: number): number => Math.ceil(length / 8) * 8

/** BYTES as they travel: each element's length as u32, then its bytes. */
const joinElements = (elements: ReadonlyArray<Uint8Array>): Uint8Array => {
  let length = 0
  for (const element of elements) length += 4 + element.length
  const joined = Buffer.allocUnsafe(length)
  let at = 0
  for (const element of elements) {
    at = joined.writeUInt32LE(element.length, at)
    joined.set(element, at)
    at += element.length
  }
  return joined
}

const bytesOf = (tensor: Tensor): Uint8Array =>
  tensor.datatype === "BYTES"
    ? joinElements(tensor.data)
    : new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength)

/** Collects one payload; to be sent once. */
export class PayloadWriter {
  #small = Buffer.allocUnsafe(512)
  /** The header is written in front when the payload is sent. */
  #length = headerBytes
  readonly #data: Array<{ readonly parts: ReadonlyArray<Uint8Array>; readonly length: number }> = []

  #room(bytes: number): number {
    const at = this.#length
    this.#length += bytes
    if (this.#length > this.#small.length) {
      const larger = Buffer.allocUnsafe(this.#length * 2)
      this.#small.copy(larger, 0, 0, at)
      this.#small = larger
    }
    return at
  }

  uint(value: number): this {
    const at = this.#room(4)
    this.#small.writeUInt32LE(value, at)
    return this
  }

  double(value: number): this {
    const at = this.#room(8)
    this.#small.writeDoubleLE(value, at)
    return this
  }

  text(value: string): this {
    // A UTF-16 unit takes at most three bytes of UTF-8.
    const at = this.#room(4 + value.length * 3)
    const written = this.#small.write(value, at + 4)
    this.#small.writeUInt32LE(written, at)
    this.#length = at + 4 + written
    return this
  }

  texts(values: ReadonlyArray<string>): this {
    this.uint(values.length)
    for (const value of values) this.text(value)
    return this
  }

  tensors(tensors: Tensors): this {
    return this.joined([tensors])
  }

  /** The members' tensors as one each, their rows behind each other. Nothing is copied for it. */
  joined(members: ReadonlyArray<Tensors>): this {
    const [first = {}] = members
    const names = Object.keys(first)
    this.uint(names.length)
    for (const name of names) {
      const tensors = tensorsOf(members, name)
      const { datatype, shape } = joinedHead(name, tensors)
      const parts = tensors.map(bytesOf)
      let length = 0
      for (const part of parts) length += part.length
      this.text(name)
        .uint(codes.get(datatype) ?? 0)
        .uint(shape.length)
      for (const size of shape) this.double(size)
      this.double(length)
      this.#data.push({ parts, length })
    }
    return this
  }

  /** The frame to be sent. It refers to the tensors' memory, unless it is small. */
  frame(kind: number, id: number): OutgoingFrame {
    const smallEnd = padded(this.#length)
    let end = smallEnd
    for (const { length } of this.#data) end += padded(length)
    const total = end - headerBytes
    if (total > maxPayloadBytes) {
      throw new UnsendableInputs(`tensors of ${total} bytes together are more than can be sent at once`)
    }
    this.#room(smallEnd - this.#length)
    const first = end <= joinBelow && this.#data.length > 0 ? this.#joined(end) : this.#small
    writeHeader(first, { length: total, kind, id, total })
    if (first !== this.#small) return { kind, id, total, chunks: [first] }
    const chunks: Array<Uint8Array> = [first.subarray(0, smallEnd)]
    for (const { parts, length } of this.#data) {
      chunks.push(...parts)
      const padding = padded(length) - length
      if (padding > 0) chunks.push(new Uint8Array(padding))
    }
    return { kind, id, total, chunks }
  }

  #joined(end: number): Buffer {
    const frame = Buffer.allocUnsafe(end)
    let start = this.#length
    this.#small.copy(frame, 0, 0, start)
    for (const { parts, length } of this.#data) {
      let at = start
      for (const part of parts) {
        frame.set(part, at)
        at += part.length
      }
      start += padded(length)
    }
    return frame
  }
}

/** Takes a payload apart, in the order in which it was written. Refuses what does not fit. */
export class PayloadReader {
  readonly #payload: Buffer
  #at = 0

  constructor(payload: Buffer) {
    this.#payload = payload
  }

  #take(bytes: number): number {
    const at = this.#at
    this.#at += bytes
    if (this.#at > this.#payload.length) throw new ProtocolError("a payload is shorter than it says")
    return at
  }

  uint(): number {
    return this.#payload.readUInt32LE(this.#take(4))
  }

  double(): number {
    return this.#payload.readDoubleLE(this.#take(8))
  }

  /** A number of things, sent as a double because it can exceed 32 bits. */
  #size(): number {
    const size = this.double()
    if (!Number.isSafeInteger(size) || size < 0) throw new ProtocolError("a size makes no sense")
    return size
  }

  text(): string {
    const length = this.uint()
    const at = this.#take(length)
    return this.#payload.toString("utf8", at, at + length)
  }

  texts(): Array<string> {
    const count = this.uint()
    const values: Array<string> = []
    for (let index = 0; index < count; index++) values.push(this.text())
    return values
  }

  /** Tensors whose elements lie in the payload. They come last in a payload. */
  tensors(): Tensors {
    const count = this.uint()
    const heads: Array<readonly [string, Datatype, Array<number>, number]> = []
    for (let index = 0; index < count; index++) {
      const name = this.text()
      const datatype = datatypes[this.uint()]
      if (datatype === undefined) throw new ProtocolError("a tensor has an unknown datatype")
      const rank = this.uint()
      const shape: Array<number> = []
      for (let dimension = 0; dimension < rank; dimension++) shape.push(this.#size())
      heads.push([name, datatype, shape, this.#size()])
    }
    // The header of 16 bytes is not part of the payload, so multiples of 8 stay what they are.
    this.#at = padded(this.#at)
    return Object.fromEntries(
      heads.map(([name, datatype, shape, bytes]) => {
        const at = this.#take(padded(bytes))
        return [name, this.#tensor(datatype, shape, at, bytes)]
      }),
    )
  }

  #tensor(datatype: Datatype, shape: ReadonlyArray<number>, at: number, bytes: number): Tensor {
    let count = 1
    for (const size of shape) count *= size
    if (datatype === "BYTES") {
      const data: Array<Uint8Array> = []
      let next = at
      while (next < at + bytes) {
        const start = next + 4
        next = start + (start > at + bytes ? 0 : this.#payload.readUInt32LE(next))
        if (next > at + bytes) throw new ProtocolError("an element is longer than its tensor")
        data.push(this.#payload.subarray(start, next))
      }
      if (data.length !== count)
        throw new ProtocolError("a tensor has not as many elements as its shape says")
      return { datatype, shape, data }
    }
    const { width, view } = views[datatype]
    if (bytes !== count * width) {
      throw new ProtocolError("a tensor has not as many elements as its shape says")
    }
    // The table pairs each datatype with its array; the compiler does not follow the pair through the union.
    return {
      datatype,
      shape,
      data: view(this.#payload.buffer, this.#payload.byteOffset + at, count),
    } as Tensor
  }
}
