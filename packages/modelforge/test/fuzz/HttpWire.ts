/** Bytes to a server and the answers back, with nothing between that would mend what is wrong with them. */
import { connect } from "node:net"

export interface WireAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

export interface Exchange {
  readonly answers: ReadonlyArray<WireAnswer>
  /** `reset`: by a server that closed while more was sent to it. `hung` when nothing ended it before its time was up. */
  readonly end: "answered" | "closed" | "reset" | "hung"
  /** Bytes that make no whole answer. */
  readonly rest: Buffer
}

/** A body in chunks; undefined until its last one is there. */
const chunkedBody = (bytes: Buffer): { readonly body: Buffer; readonly length: number } | undefined => {
  const parts: Array<Buffer> = []
  for (let at = 0; ; ) {
    const line = bytes.indexOf("\r\n", at)
    if (line === -1) return undefined
    const size = Number.parseInt(bytes.toString("latin1", at, line), 16)
    const start = line + 2
    if (bytes.length < start + size + 2) return undefined
    if (size === 0) return { body: Buffer.concat(parts), length: start + 2 }
    parts.push(bytes.subarray(start, start + size))
    at = start + size + 2
  }
}

/** The first answer, and the bytes behind it; undefined while it is not whole. Without a length it goes to the end. */
const readAnswer = (
  bytes: Buffer,
  isHead: boolean,
  isEnd: boolean,
): { readonly answer: WireAnswer; readonly rest: Buffer } | undefined => {
  const end = bytes.indexOf("\r\n\r\n")
  if (end === -1) return undefined
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n")
  const status = Number(/^HTTP\/1\.[01] (\d{3}) /.exec(statusLine)?.[1])
  if (!Number.isInteger(status)) throw new Error(`no answer of HTTP: ${statusLine.slice(0, 200)}`)
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":")
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
    }),
  )
  const behind = bytes.subarray(end + 4)
  const withBody = (body: Buffer, length: number) => ({
    answer: { status, headers, body },
    rest: behind.subarray(length),
  })
  if (status < 200 || status === 204 || status === 304 || isHead) return withBody(Buffer.alloc(0), 0)
  if (headers.get("transfer-encoding") === "chunked") {
    const chunked = chunkedBody(behind)
    return chunked && withBody(chunked.body, chunked.length)
  }
  const length = headers.get("content-length")
  if (length === undefined) return isEnd ? withBody(behind, behind.length) : undefined
  return behind.length < Number(length)
    ? undefined
    : withBody(behind.subarray(0, Number(length)), Number(length))
}

/** All answers that are whole; those that only promise another (`100 Continue`) are passed over. */
const readAnswers = (bytes: Buffer, heads: ReadonlyArray<boolean>, isEnd: boolean) => {
  const answers: Array<WireAnswer> = []
  let rest = bytes
  for (;;) {
    const read = readAnswer(rest, heads[answers.length] ?? false, isEnd)
    if (read === undefined) return { answers, rest }
    rest = read.rest
    if (read.answer.status >= 200) answers.push(read.answer)
  }
}

export interface Sending {
  readonly bytes: Buffer
  /** Of each request in the bytes, whether it is a HEAD. */
  readonly heads: ReadonlyArray<boolean>
  /** The server may wait for more than there is: it is left after so many milliseconds. */
  readonly leaveAfterMs?: number
  /** How the bytes are cut into writes, in bytes each; one write by default. */
  readonly cut?: number
}

const deadlineMs = 30_000

/** Writes on a connection of its own, and reads until all is answered, or the server closes. */
export const exchange = (port: number, { bytes, heads, leaveAfterMs, cut }: Sending): Promise<Exchange> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.setNoDelay(true)
    let received = Buffer.alloc(0)
    let settled = false
    const settle = (end: Exchange["end"]) => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      socket.destroy()
      resolve({ ...readAnswers(received, heads, end === "closed"), end })
    }
    const timer = setTimeout(
      () => settle(leaveAfterMs === undefined ? "hung" : "closed"),
      leaveAfterMs ?? deadlineMs,
    )
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (readAnswers(received, heads, false).answers.length >= heads.length) settle("answered")
    })
    socket.on("error", () => settle("reset"))
    socket.on("close", () => settle("closed"))
    socket.on("connect", () => {
      const size = cut ?? bytes.length
      let at = 0
      const write = () => {
        if (settled || at >= bytes.length) return
        const piece = bytes.subarray(at, at + size)
        at += size
        socket.write(piece, () => setImmediate(write))
      }
      write()
    })
  })
