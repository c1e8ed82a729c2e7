import { Socket } from "node:net"
import type { Duplex } from "node:stream"

/** As much as is read at once. */
const readBytes = 256 * 1024

/** A pipe to a child process owns a handle, which Node does not document but passes on likewise in its own modules. */
const takeHandle = (pipe: Duplex): object | undefined => {
  if (!("_handle" in pipe) || typeof pipe._handle !== "object" || pipe._handle === null) return undefined
  const handle = pipe._handle
  pipe._handle = null
  return handle
}

/**
 * The same connection, read into one piece of memory again and again; `onChunk` must not keep what it is given. Node
 * allocates 64 KiB for every read otherwise, which costs more than a small message does, and offers `onread` only to
 * sockets that one makes oneself.
 */
export const readingInPlace = (pipe: Duplex, onChunk: (chunk: Buffer) => void): Duplex => {
  const handle = takeHandle(pipe)
  if (handle === undefined) return pipe.on("data", onChunk)
  const buffer = Buffer.allocUnsafeSlow(readBytes)
  // Spread, because the types know of another kind of handle only.
  const taken: object = { handle }
  const onread = {
    buffer,
    callback: (count: number) => {
      onChunk(buffer.subarray(0, count))
      return true
    },
  }
  return new Socket({ ...taken, onread }).resume()
}
