/**
 * The frames between a host process and a runner: a header of 16 bytes (payload length u32, kind u8, flags u8,
 * two bytes of zero, id u32, four bytes of zero), then the payload. Numbers are in the machine's own byte order;
 * both ends are processes of one machine. The flags and zeros are for frames cut in parts, one day.
 */
export const headerBytes = 16
/** A frame announces at most this much; whoever announces more is not speaking this protocol. */
export const maxPayloadBytes = 0x7fffffff

export const frameKind = {
  load: 1,
  run: 2,
  release: 3,
  /** Drops the run of this id if it has not begun. It is answered all the same, by `failed` or `ran`. */
  cancel: 4,
  /** A run whose outputs nobody wants: it is answered by `ran` without any. */
  rehearse: 5,
  ready: 16,
  loaded: 17,
  ran: 18,
  released: 19,
  failed: 20,
} as const

/** What a `failed` frame says first. */
export const failureCode = {
  refused: 0,
  /** The runtime itself could not be loaded. */
  unavailable: 1,
  /** Withdrawn before it began. */
  cancelled: 2,
} as const

export const writeHeader = (target: Buffer, kind: number, id: number, payloadLength: number): void => {
  target.writeUInt32LE(payloadLength, 0)
  target.writeUInt32LE(kind, 4)
  target.writeUInt32LE(id, 8)
  target.writeUInt32LE(0, 12)
}

/** The peer sent what is not a frame; nothing after it can be understood. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError"
}

/**
 * Puts frames together from chunks of any size. A payload begins at a multiple of 8 in memory of its own, so typed
 * arrays can be laid over it.
 */
export class FrameReader {
  readonly #onFrame: (kind: number, id: number, payload: Buffer) => void
  readonly #header = Buffer.alloc(headerBytes)
  #headerFilled = 0
  #payload: Buffer | undefined
  #payloadFilled = 0

  constructor(onFrame: (kind: number, id: number, payload: Buffer) => void) {
    this.#onFrame = onFrame
  }

  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#payload === undefined) {
        const step = Math.min(headerBytes - this.#headerFilled, chunk.length - at)
        this.#header.set(chunk.subarray(at, at + step), this.#headerFilled)
        this.#headerFilled += step
        at += step
        if (this.#headerFilled < headerBytes) return
        const length = this.#header.readUInt32LE(0)
        if (length > maxPayloadBytes || this.#header.readUInt32LE(12) !== 0) {
          throw new ProtocolError("a frame's header is damaged")
        }
        this.#payload = Buffer.allocUnsafeSlow(length)
        this.#payloadFilled = 0
      }
      const step = Math.min(this.#payload.length - this.#payloadFilled, chunk.length - at)
      this.#payload.set(
        at === 0 && step === chunk.length ? chunk : chunk.subarray(at, at + step),
        this.#payloadFilled,
      )
      this.#payloadFilled += step
      at += step
      if (this.#payloadFilled < this.#payload.length) return
      const payload = this.#payload
      this.#payload = undefined
      this.#headerFilled = 0
      this.#onFrame(this.#header.readUInt8(4), this.#header.readUInt32LE(8), payload)
    }
  }
}
