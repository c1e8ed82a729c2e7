/**
 * What travels between a host process and a runner. A frame is a kind, an id and a payload; a large one is cut in
 * parts, between which other frames travel. Each part has a header of 16 bytes (its length u32, kind u32, id u32,
 * length of the whole payload u32). Numbers are in the machine's own byte order; both ends are processes of one
 * machine. All lengths are multiples of 8, so what begins at one stays at one.
 */
export const headerBytes = 16
/** A frame announces at most this much; whoever announces more is not speaking this protocol. */
export const maxPayloadBytes = 0x7fffffff
/** Frames up to this size are not cut. */
export const partBytes = 256 * 1024

export const frameKind = {
  load: 1,
  run: 2,
  release: 3,
  /** A run whose outputs nobody wants: it is answered by `ran` without any. */
  rehearse: 4,
  /** Asks what a model takes in memory. */
  measure: 5,
  ready: 16,
  loaded: 17,
  ran: 18,
  released: 19,
  failed: 20,
  measured: 21,
} as const

/** What a `failed` frame says first. */
export const failureCode = {
  refused: 0,
  /** The runtime itself could not be loaded. */
  unavailable: 1,
} as const

/** The peer sent what is not a frame; nothing after it can be understood. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError"
}

export interface Header {
  /** Bytes of this part, without the header. */
  readonly length: number
  readonly kind: number
  readonly id: number
  /** Bytes of all parts together. */
  readonly total: number
}

export const writeHeader = (target: Buffer, { length, kind, id, total }: Header): void => {
  target.writeUInt32LE(length, 0)
  target.writeUInt32LE(kind, 4)
  target.writeUInt32LE(id, 8)
  target.writeUInt32LE(total, 12)
}

export const readHeader = (source: Buffer, at: number): Header => {
  const header = {
    length: source.readUInt32LE(at),
    kind: source.readUInt32LE(at + 4),
    id: source.readUInt32LE(at + 8),
    total: source.readUInt32LE(at + 12),
  }
  if (header.length > header.total || header.total > maxPayloadBytes || header.length % 8 !== 0) {
    throw new ProtocolError("a frame's header is damaged")
  }
  return header
}

/** A frame ready to be sent: the first chunk begins with its header, as if it were not cut. */
export interface OutgoingFrame {
  readonly kind: number
  readonly id: number
  /** Bytes of the payload. */
  readonly total: number
  readonly chunks: ReadonlyArray<Uint8Array>
}

/** Cuts a frame into parts of at most `bytes` each, a multiple of 8. Nothing is copied. */
export const cut = (
  { kind, id, total, chunks }: OutgoingFrame,
  bytes: number,
): Array<ReadonlyArray<Uint8Array>> => {
  const parts: Array<Array<Uint8Array>> = []
  let part: Array<Uint8Array> = []
  let room = 0
  let left = total
  for (const [index, chunk] of chunks.entries()) {
    let at = index === 0 ? headerBytes : 0
    while (at < chunk.length) {
      if (room === 0) {
        room = Math.min(bytes, left)
        left -= room
        const header = Buffer.allocUnsafe(headerBytes)
        writeHeader(header, { length: room, kind, id, total })
        part = [header]
        parts.push(part)
      }
      const end = Math.min(chunk.length, at + room)
      part.push(chunk.subarray(at, end))
      room -= end - at
      at = end
    }
  }
  return parts
}
