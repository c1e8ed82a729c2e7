/** Puts frames together from what a connection delivers. */
import { type Header, headerBytes, ProtocolError, readHeader } from "./Frame.ts"

/** Payloads that are being received, each in memory of its own. */
export class Assembly {
  readonly #payloads = new Map<number, { readonly payload: Buffer; filled: number }>()
  readonly #allocate: (bytes: number) => Buffer

  constructor(allocate: (bytes: number) => Buffer) {
    this.#allocate = allocate
  }

  /** Where the bytes of this part belong. */
  room({ id, length, total }: Header): Buffer {
    let entry = this.#payloads.get(id)
    if (entry === undefined) {
      entry = { payload: this.#allocate(total), filled: 0 }
      this.#payloads.set(id, entry)
    }
    const { payload, filled } = entry
    if (payload.length !== total || filled + length > total)
      throw new ProtocolError("parts don't fit their frame")
    entry.filled += length
    return payload.subarray(filled, filled + length)
  }

  /** This part is there. Gives the payload when it was the last. */
  complete({ id }: Header): Buffer | undefined {
    const entry = this.#payloads.get(id)
    if (entry === undefined || entry.filled < entry.payload.length) return undefined
    this.#payloads.delete(id)
    return entry.payload
  }
}

/**
 * Takes chunks of any size, which it does not keep. A payload begins at a multiple of 8 in memory of its own, so
 * typed arrays can be laid over it, and kept.
 */
export class FrameReader {
  readonly #onFrame: (kind: number, id: number, payload: Buffer) => void
  readonly #assembly = new Assembly((bytes) => Buffer.allocUnsafeSlow(bytes))
  readonly #headerBytes = Buffer.alloc(headerBytes)
  #headerFilled = 0
  #header: Header | undefined
  #room: Buffer = this.#headerBytes
  #filled = 0

  constructor(onFrame: (kind: number, id: number, payload: Buffer) => void) {
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#header === undefined) {
        at = this.#takeHeader(chunk, at)
        // Without it there is more to come; a frame may also have ended with its header.
        if (this.#header === undefined) continue
      }
      const end = Math.min(chunk.length, at + this.#room.length - this.#filled)
      chunk.copy(this.#room, this.#filled, at, end)
      this.#filled += end - at
      at = end
      if (this.#filled === this.#room.length) this.#finishPart(this.#header)
    }
  }

  /** Gives where the header ended, or the chunk did. */
  #takeHeader(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + headerBytes - this.#headerFilled)
    if (end - at === headerBytes) this.#begin(readHeader(chunk, at))
    else {
      chunk.copy(this.#headerBytes, this.#headerFilled, at, end)
      this.#headerFilled += end - at
      if (this.#headerFilled === headerBytes) this.#begin(readHeader(this.#headerBytes, 0))
    }
    return end
  }

  #begin(header: Header): void {
    this.#header = header
    this.#headerFilled = 0
    this.#room = this.#assembly.room(header)
    this.#filled = 0
    if (header.length === 0) this.#finishPart(header)
  }

  #finishPart(header: Header): void {
    this.#header = undefined
    const payload = this.#assembly.complete(header)
    if (payload !== undefined) this.#onFrame(header.kind, header.id, payload)
  }
}
