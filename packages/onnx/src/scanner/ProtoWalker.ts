/**
 * Walks a protobuf message whose bytes arrive in chunks of any size. What no reader asks for is skipped by
 * arithmetic, so the weights of a model are never held, nor looked at.
 */
import { refuse } from "./Refusal.ts"

/** What to do with a field: `cut` limits a text without refusing what is longer. */
export type FieldRule =
  | { readonly kind: "int32" | "int64" }
  /** Repeated integers, packed or not. */
  | { readonly kind: "int64s" }
  /** 32-bit floats, repeated or not, packed or not; given as a text of at most `limit` of their bytes at a time. */
  | { readonly kind: "floats"; readonly limit: number }
  | { readonly kind: "text"; readonly limit: number; readonly cut: boolean }
  | { readonly kind: "message" }

export const int32: FieldRule = { kind: "int32" }
export const int64: FieldRule = { kind: "int64" }
export const int64s: FieldRule = { kind: "int64s" }
export const message: FieldRule = { kind: "message" }
export const floatsUpTo = (count: number): FieldRule => ({ kind: "floats", limit: 4 * count })
export const text = (limit: number): FieldRule => ({ kind: "text", limit, cut: false })
export const textUpTo = (limit: number): FieldRule => ({ kind: "text", limit, cut: true })

/** By field number; fields that are absent are skipped. */
export type FieldRules = ReadonlyArray<FieldRule | undefined>

export const fieldRules = (rules: Readonly<Record<number, FieldRule>>): FieldRules =>
  Object.entries(rules).reduce<Array<FieldRule | undefined>>((table, [field, rule]) => {
    table[Number(field)] = rule
    return table
  }, [])

/** Receives the fields of one message, in the order of the file. */
export abstract class MessageReader {
  abstract readonly rules: FieldRules
  /** For messages to people: `node "x"`. */
  abstract describe(): string
  integer(_field: number, _value: number): void {}
  /** `bytes` are valid only during the call, and may be only the beginning of what is `length` bytes long. */
  text(_field: number, _bytes: Uint8Array, _length: number): void {}
  /** The reader of a nested message. */
  open(field: number): MessageReader {
    throw new Error(`No reader for field ${field}. This is a bug.`)
  }
  /** The message is complete. */
  close(): void {}
}

interface Frame {
  readonly reader: MessageReader
  /** Offset in the file of the byte after the message; Infinity for the outermost. */
  readonly end: number
  /** Field number when the frame is a run of packed integers of its reader, else 0. */
  readonly packed: number
}

type State = "tag" | "value" | "length" | "skip" | "text"

const wireVarint = 0
const wireFixed64 = 1
const wireBytes = 2
const wireFixed32 = 5
/** Protobuf holds lengths in 31 bits. */
const maxLength = 2147483647

export class ProtoWalker {
  /** Bytes taken so far. */
  #offset = 0
  #state: State = "tag"
  readonly #frames: Array<Frame> = []
  #frame: Frame

  // The varint being read: bits 0 to 27, 28 to 55 and 56 to 63, and its bytes so far.
  #low = 0
  #middle = 0
  #high = 0
  #varintBytes = 0

  #field = 0
  #rule: FieldRule | undefined
  #fields = 0

  #skip = 0
  /** Made only for a text that no chunk holds as a whole. */
  #text: Uint8Array = new Uint8Array(0)
  #textLength = 0
  #textFilled = 0
  #textRest = 0

  readonly #maxDepth: number
  readonly #maxFields: number

  constructor(root: MessageReader, limits: { readonly depth: number; readonly fields: number }) {
    this.#frame = { reader: root, end: Number.POSITIVE_INFINITY, packed: 0 }
    this.#maxDepth = limits.depth
    this.#maxFields = limits.fields
  }

  push(chunk: Uint8Array): void {
    const start = this.#offset
    let at = 0
    while (true) {
      switch (this.#state) {
        case "skip": {
          const step = Math.min(this.#skip, chunk.length - at)
          at += step
          this.#offset = start + at
          this.#skip -= step
          if (this.#skip > 0) return
          this.#state = "tag"
          break
        }
        case "text": {
          const step = Math.min(this.#textLength - this.#textFilled, chunk.length - at)
          const part = chunk.subarray(at, at + step)
          at += step
          this.#offset = start + at
          if (step === this.#textLength) this.#endText(part)
          else {
            if (this.#textFilled === 0) this.#text = new Uint8Array(this.#textLength)
            this.#text.set(part, this.#textFilled)
            this.#textFilled += step
            if (this.#textFilled < this.#textLength) return
            this.#endText(this.#text)
          }
          break
        }
        default: {
          if (this.#state === "tag" && this.#varintBytes === 0 && start + at === this.#frame.end) {
            this.#closeFrame()
            break
          }
          const next = this.#varint(chunk, at, start)
          at = next < 0 ? chunk.length : next
          this.#offset = start + at
          if (next < 0) return
          if (this.#state === "tag") this.#tag()
          else if (this.#state === "value") this.#value()
          else this.#length()
        }
      }
    }
  }

  /** Refuses a file that ends inside a message. */
  end(): void {
    if (this.#frames.length > 0 || this.#state !== "tag" || this.#varintBytes > 0) {
      const missing = this.#frames[1]?.end ?? this.#frame.end
      refuse(
        "truncated",
        `the file ends after ${this.#offset} bytes, in the middle of ${this.#frame.reader.describe()}${
          Number.isFinite(missing) && missing > this.#offset
            ? `; at least ${missing - this.#offset} bytes are missing`
            : ""
        }. It was probably not copied or uploaded completely.`,
      )
    }
    this.#frame.reader.close()
  }

  /** Takes bytes of the current varint; the offset in the chunk after it, or -1 when the chunk ended before it. */
  #varint(chunk: Uint8Array, from: number, start: number): number {
    const end = Math.min(chunk.length, this.#frame.end - start)
    let at = from
    while (at < end) {
      // `at` is below the chunk's length.
      const byte = chunk[at++] ?? 0
      const index = this.#varintBytes++
      const bits = byte & 127
      if (index === 0) {
        this.#low = bits
        this.#middle = 0
        this.#high = 0
      } else if (index < 4) this.#low |= bits << (7 * index)
      else if (index < 8) this.#middle |= bits << (7 * (index - 4))
      else if (index === 8) this.#high = bits
      else this.#high |= (bits & 1) << 7
      if (byte < 128) {
        this.#varintBytes = 0
        return at
      }
      if (index === 9) {
        this.#offset = start + at
        this.#malformed("a number is longer than 10 bytes")
      }
    }
    if (end < chunk.length) {
      this.#offset = start + end
      this.#malformed("a number runs past the end of its message")
    }
    return -1
  }

  #int64(): number {
    if (this.#high === 0) return this.#low + this.#middle * 268435456
    return Number(
      BigInt.asIntN(64, (BigInt(this.#high) << 56n) | (BigInt(this.#middle) << 28n) | BigInt(this.#low)),
    )
  }

  #tag(): void {
    if (this.#frame.packed > 0) {
      this.#frame.reader.integer(this.#frame.packed, this.#int64())
      this.#countField()
      return
    }
    const tag = this.#int64()
    const field = Math.floor(tag / 8)
    if (tag < 8 || tag > 0xffffffff) this.#malformed(`field number ${field} does not exist`)
    this.#countField()
    this.#field = field
    this.#rule = this.#frame.reader.rules[field]
    switch (tag & 7) {
      case wireVarint:
        if (this.#rule?.kind !== undefined && !this.#rule.kind.startsWith("int")) this.#wrongType()
        this.#state = "value"
        return
      case wireBytes:
        if (this.#rule?.kind === "int32" || this.#rule?.kind === "int64") this.#wrongType()
        this.#state = "length"
        return
      case wireFixed64:
        if (this.#rule !== undefined) this.#wrongType()
        this.#startSkip(8)
        return
      case wireFixed32:
        if (this.#rule?.kind === "floats") {
          this.#within(4)
          this.#startText(4, 4)
          return
        }
        if (this.#rule !== undefined) this.#wrongType()
        this.#startSkip(4)
        return
      default:
        this.#malformed(`field ${field} has wire type ${tag & 7}, which ONNX does not use`)
    }
  }

  #value(): void {
    this.#state = "tag"
    if (this.#rule === undefined) return
    this.#frame.reader.integer(
      this.#field,
      this.#rule.kind === "int32" ? this.#low | (this.#middle << 28) : this.#int64(),
    )
  }

  /** A length was read: skips, collects or enters what follows. */
  #length(): void {
    const length = this.#int64()
    if (length < 0 || length > maxLength) this.#malformed(`field ${this.#field} has an impossible length`)
    const rule = this.#rule
    if (rule === undefined) {
      this.#startSkip(length)
      return
    }
    const end = this.#within(length)
    if (rule.kind === "text" || rule.kind === "floats") {
      if (rule.kind === "floats" && length % 4 !== 0) this.#wrongType()
      if (length > rule.limit && rule.kind === "text" && !rule.cut) {
        refuse(
          "limit-exceeded",
          `a text of ${length} bytes in ${this.#frame.reader.describe()} exceeds the limit of ${rule.limit} bytes`,
        )
      }
      this.#startText(length, rule.limit)
      return
    }
    if (this.#frames.length >= this.#maxDepth) {
      refuse(
        "limit-exceeded",
        `the model is nested more than ${this.#maxDepth} messages deep, in ${this.#frame.reader.describe()}`,
      )
    }
    const packed = rule.kind === "int64s" ? this.#field : 0
    const reader = packed > 0 ? this.#frame.reader : this.#frame.reader.open(this.#field)
    this.#frames.push(this.#frame)
    this.#frame = { reader, end, packed }
    this.#state = "tag"
  }

  #startText(length: number, limit: number): void {
    this.#textLength = Math.min(length, limit)
    this.#textFilled = 0
    this.#textRest = length - this.#textLength
    this.#state = "text"
  }

  #endText(bytes: Uint8Array): void {
    const length = bytes.length + this.#textRest
    this.#startSkip(this.#textRest)
    this.#frame.reader.text(this.#field, bytes, length)
  }

  #startSkip(length: number): void {
    this.#within(length)
    this.#skip = length
    this.#state = length > 0 ? "skip" : "tag"
  }

  #within(length: number): number {
    const end = this.#offset + length
    if (end > this.#frame.end) {
      this.#malformed(`field ${this.#field} is longer than the message that holds it`)
    }
    return end
  }

  #closeFrame(): void {
    const { reader, packed } = this.#frame
    const parent = this.#frames.pop()
    if (parent === undefined) throw new Error("The outermost message has no end. This is a bug.")
    this.#frame = parent
    if (packed === 0) reader.close()
  }

  #countField(): void {
    if (++this.#fields > this.#maxFields) {
      refuse("limit-exceeded", `the file has more than ${this.#maxFields} protobuf fields`)
    }
  }

  #wrongType(): never {
    return this.#malformed(`field ${this.#field} is not of the type that ONNX gives it`)
  }

  #malformed(what: string): never {
    return refuse(
      "malformed",
      `the file is damaged or not ONNX: ${what} (in ${this.#frame.reader.describe()}, near byte ${this.#offset})`,
    )
  }
}
