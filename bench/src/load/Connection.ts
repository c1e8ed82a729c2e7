/**
 * One kept-alive HTTP/1.1 connection with one request at a time, on a bare socket: it costs a fraction of what the
 * servers cost, which matters where they share the cores. Understands what the servers here answer with: a
 * `content-length`, or chunks.
 */
import { connect, type Socket } from "node:net"

const headEnd = "\r\n\r\n"
const lastChunk = Buffer.from("0\r\n\r\n")

interface Awaited {
  readonly resolve: (status: number) => void
  readonly reject: (error: Error) => void
}

export class Connection {
  readonly #socket: Socket
  #awaited: Awaited | undefined
  /** Bytes of a head that did not come whole. */
  #partial: Buffer | undefined
  #status = 0
  /** Bytes of the body that are still to come; -1 while a head is read, Infinity while chunks are. */
  #rest = -1

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on("data", (chunk) => this.#receive(chunk))
    socket.on("error", (error) => this.#fail(error))
    socket.on("close", () => this.#fail(new Error("the server closed the connection")))
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1" }, () => {
        socket.off("error", reject)
        resolve(new Connection(socket))
      })
      socket.once("error", reject)
    })
  }

  /** Sends a whole request; resolves with the status once the whole answer is there. */
  send(request: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#awaited = { resolve, reject }
      this.#socket.write(request)
    })
  }

  close(): void {
    this.#awaited = undefined
    this.#socket.destroy()
  }

  /** Ends a request that is never answered. */
  cutOff(): void {
    this.#socket.destroy(new Error("the server did not answer in time"))
  }

  #fail(error: Error): void {
    const awaited = this.#awaited
    this.#awaited = undefined
    awaited?.reject(error)
  }

  #receive(chunk: Buffer): void {
    if (this.#rest === -1) {
      const bytes = this.#partial === undefined ? chunk : Buffer.concat([this.#partial, chunk])
      const end = bytes.indexOf(headEnd)
      if (end === -1) {
        this.#partial = bytes
        return
      }
      this.#partial = undefined
      const head = bytes.toString("latin1", 0, end)
      this.#status = Number(head.slice(9, 12))
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)
      this.#rest = length === null ? Number.POSITIVE_INFINITY : Number(length[1])
      this.#body(bytes.subarray(end + headEnd.length))
    } else this.#body(chunk)
  }

  #body(bytes: Buffer): void {
    this.#rest -= bytes.length
    const done =
      this.#rest === Number.POSITIVE_INFINITY
        ? bytes.subarray(-lastChunk.length).equals(lastChunk)
        : this.#rest <= 0
    if (!done) return
    this.#rest = -1
    const awaited = this.#awaited
    this.#awaited = undefined
    awaited?.resolve(this.#status)
  }
}
