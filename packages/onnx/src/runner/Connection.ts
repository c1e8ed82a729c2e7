/** The runner's end of the connection to its host. */
import { read, readSync, writev, writevSync } from "node:fs"
import { promisify } from "node:util"
import { cut, headerBytes, type OutgoingFrame, readHeader } from "../wire/Frame.ts"
import { Assembly } from "../wire/FrameReader.ts"

export interface IncomingFrame {
  readonly kind: number
  readonly id: number
  /** The connection's own memory: good until the next frame is asked for. Begins at a multiple of 8. */
  readonly payload: Buffer
}

export interface Connection {
  /** Undefined when the host has left. */
  readonly next: () => Promise<IncomingFrame | undefined>
  /** Sends a frame, ahead of what is left of larger ones. It must not refer to the memory of an incoming one. */
  readonly send: (frame: OutgoingFrame) => void
}

/** Frames up to this size are read many at a time, and where they lie is where they are used. */
const stagingBytes = 64 * 1024
/** Memory of one larger frame of at most this size is kept for the next one. */
const maxSpareBytes = 32 * 1024 * 1024
/** Answers up to this size are written at once, in some milliseconds at most; of larger ones, parts of this size. */
const answerPartBytes = 8 * 1024 * 1024

const readLater = promisify(read)
const writeLater = promisify(writev)

/**
 * On a descriptor that blocks. There is nothing else to do for the runner's thread, and it costs a fraction of what
 * events cost: no memory is allocated for what is read, and an answer has left before the next run holds the thread.
 * Only while a very large answer is on its way are reads and writes left to other threads.
 */
export class DescriptorConnection implements Connection {
  readonly #from: number
  readonly #to: number
  readonly #staging = Buffer.allocUnsafeSlow(stagingBytes)
  #start = 0
  #end = 0
  readonly #assembly = new Assembly((bytes) => this.#allocate(bytes))
  #spare: Buffer | undefined
  /** Handed out, and spare again with the next frame. */
  #lent: Buffer | undefined
  readonly #large: Array<Array<ReadonlyArray<Uint8Array>>> = []
  readonly #small: Array<OutgoingFrame> = []
  #writing = false

  constructor(from: number, to: number) {
    this.#from = from
    this.#to = to
  }

  async next(): Promise<IncomingFrame | undefined> {
    if (this.#lent !== undefined && this.#lent.length <= maxSpareBytes) this.#spare = this.#lent
    this.#lent = undefined
    for (;;) {
      if (!(await this.#stage(headerBytes))) return undefined
      const header = readHeader(this.#staging, this.#start)
      const { kind, id, length, total } = header
      if (length === total && headerBytes + length <= stagingBytes) {
        if (!(await this.#stage(headerBytes + length))) return undefined
        const at = this.#start + headerBytes
        this.#start = at + length
        return { kind, id, payload: this.#staging.subarray(at, at + length) }
      }
      this.#start += headerBytes
      if (!(await this.#fill(this.#assembly.room(header)))) return undefined
      const payload = this.#assembly.complete(header)
      if (payload === undefined) continue
      this.#lent = Buffer.from(payload.buffer)
      return { kind, id, payload }
    }
  }

  send(frame: OutgoingFrame): void {
    if (frame.total > answerPartBytes) {
      this.#large.push(cut(frame, answerPartBytes))
      if (!this.#writing) void this.#sendLarge()
    } else if (this.#writing) this.#small.push(frame)
    else this.#write(frame.chunks)
  }

  #allocate(bytes: number): Buffer {
    const spare = this.#spare
    if (spare === undefined || spare.length < bytes) return Buffer.allocUnsafeSlow(bytes)
    this.#spare = undefined
    return spare.subarray(0, bytes)
  }

  /** Has so many bytes staged behind each other; false when the connection ends before. */
  async #stage(bytes: number): Promise<boolean> {
    if (this.#end - this.#start >= bytes) return true
    this.#staging.copyWithin(0, this.#start, this.#end)
    this.#end -= this.#start
    this.#start = 0
    while (this.#end < bytes) {
      const count = await this.#read(this.#staging, this.#end)
      if (count === 0) return false
      this.#end += count
    }
    return true
  }

  /** Reads into `room` what is not staged already. */
  async #fill(room: Buffer): Promise<boolean> {
    let filled = Math.min(room.length, this.#end - this.#start)
    this.#staging.copy(room, 0, this.#start, this.#start + filled)
    this.#start += filled
    while (filled < room.length) {
      const count = await this.#read(room, filled)
      if (count === 0) return false
      filled += count
    }
    return true
  }

  async #read(target: Buffer, at: number): Promise<number> {
    const length = target.length - at
    if (this.#writing) return (await readLater(this.#from, target, at, length, null)).bytesRead
    return readSync(this.#from, target, at, length, null)
  }

  #write(chunks: ReadonlyArray<Uint8Array>): void {
    let left = chunks
    while (left.length > 0) left = without(left, writevSync(this.#to, left))
  }

  /** Large frames take turns, part by part; small ones go between. */
  async #sendLarge(): Promise<void> {
    this.#writing = true
    for (let parts = this.#large.shift(); parts !== undefined; parts = this.#large.shift()) {
      let left = parts.shift() ?? []
      if (parts.length > 0) this.#large.push(parts)
      while (left.length > 0) left = without(left, (await writeLater(this.#to, left)).bytesWritten)
      for (const small of this.#small.splice(0)) this.#write(small.chunks)
    }
    this.#writing = false
  }
}

/** What is left of the chunks when their first `bytes` are gone. */
const without = (chunks: ReadonlyArray<Uint8Array>, bytes: number): ReadonlyArray<Uint8Array> => {
  let gone = bytes
  for (const [index, chunk] of chunks.entries()) {
    if (gone < chunk.length) return [chunk.subarray(gone), ...chunks.slice(index + 1)]
    gone -= chunk.length
  }
  return []
}
