/**
 * The host's sending side of a connection: frames take turns. Small ones go at once, all of one turn of the event loop
 * in one write. Of large ones the next part goes when the connection took the part before, so that whatever is sent
 * meanwhile waits for one part at most.
 */
import type { Writable } from "node:stream"
import { cut, type OutgoingFrame, partBytes } from "../wire/Frame.ts"

interface Large {
  readonly parts: Array<ReadonlyArray<Uint8Array>>
  readonly onSent: () => void
}

export class FrameSender {
  readonly #stream: Writable
  #corked = false
  /** Large frames that are not sent, the next one first. */
  readonly #large: Array<Large> = []
  #partUnderway = false

  constructor(stream: Writable) {
    this.#stream = stream
  }

  /** `onSent` is called when all of the frame is on its way, in the order in which frames arrive. */
  send(frame: OutgoingFrame, onSent: () => void): void {
    if (frame.total <= partBytes) {
      this.#write(frame.chunks)
      onSent()
      return
    }
    this.#large.push({ parts: cut(frame, partBytes), onSent })
    if (!this.#partUnderway) this.#sendPart()
  }

  #write(chunks: ReadonlyArray<Uint8Array>, taken?: (error?: Error | null) => void): void {
    if (!this.#corked) {
      this.#corked = true
      this.#stream.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#stream.uncork()
      })
    }
    const last = chunks.length - 1
    for (const [index, chunk] of chunks.entries()) {
      if (index === last && taken !== undefined) this.#stream.write(chunk, taken)
      else this.#stream.write(chunk)
    }
  }

  #sendPart(): void {
    const frame = this.#large.shift()
    const part = frame?.parts.shift()
    if (frame === undefined || part === undefined) return
    this.#partUnderway = true
    this.#write(part, (error) => {
      this.#partUnderway = false
      // The connection is gone, which its owner sees; nothing is sent any more.
      if (error) this.#large.length = 0
      else this.#sendPart()
    })
    if (frame.parts.length > 0) this.#large.push(frame)
    else frame.onSent()
  }
}
