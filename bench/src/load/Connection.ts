/**
 * One kept-alive HTTP/1.1 connection with one request at a time, on a bare socket: it costs a fraction of what the
 * servers cost, which matters where they share the cores. Understands what the servers here answer with: a
 * `content-length`, or chunks.
 */
import { connect, type Socket } from "node:net"

const headEnd = "\r\n\r\n"
const lastChunk = Buffer.from("0\r\n\r\n")

export interface Answer {
  readonly status: number
  /** The status line and the headers. */
  readonly head: string
}

interface Awaited {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

export class Connection {
  readonly #socket: Socket
  #awaited: Awaited | undefined
  /** Bytes of a head that did not come whole. */
  #partial: Buffer | undefined
  #head = ""
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

  /** Whether another request can be sent once the one before is answered: the server may have closed it. */
  get isOpen(): boolean {
    return this.#socket.writable
  }

  /** Sends a whole request; resolves once the whole answer is there. */
  send(request: Uint8Array): Promise<Answer> {
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
      this.#head = bytes.toString("latin1", 0, end)
      const length = /\r\ncontent-length: *(\d+)/i.exec(this.#head)
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
    if (/\r\nconnection: *close/i.test(this.#head)) this.#socket.destroy()
    awaited?.resolve({ status: Number(this.#head.slice(9, 12)), head: this.#head })
  }
}
