/**
 * Compressed bodies, on the platform's own streams: they work in the background and piece by piece, so that neither a
 * large body nor one that only pretends to be small holds anybody else up.
 */
import { BadRequestProblem } from "@modelforge/api"
import type { CallerSignal } from "@modelforge/core"
import { leadOf } from "../request/requestBody.ts"
import type { Coding } from "../request/requestHead.ts"
import type { ResponseBody } from "./response.ts"

const streamOf = (chunks: ReadonlyArray<Uint8Array>) => {
  let next = 0
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => {
      const chunk = chunks[next++]
      if (chunk === undefined) controller.close()
      // The types want memory that is not shared with other threads, which ours never is.
      else controller.enqueue(chunk as Uint8Array<ArrayBuffer>)
    },
  })
}

/** Streams take the platform's own signals only. */
const platformSignal = (signal: CallerSignal): AbortSignal => {
  if (signal instanceof AbortSignal) return signal
  const controller = new AbortController()
  const abort = () => controller.abort(signal.reason)
  if (signal.aborted) abort()
  else signal.addEventListener("abort", abort, { once: true })
  return controller.signal
}

export interface Decompression {
  readonly coding: Coding
  /** Told how many bytes came out, each time before they are kept; throws to end it. */
  readonly spend: (bytes: number) => void
  /** Bytes of JSON in front of tensors, which will be laid where they can be used without copying. */
  readonly jsonLength: number
  /** Its abortion ends the work, and is what the promise rejects with. */
  readonly signal: CallerSignal
}

export const decompress = async (
  body: Uint8Array,
  { coding, spend, jsonLength, signal }: Decompression,
): Promise<Uint8Array> => {
  const reader = streamOf([body])
    .pipeThrough(new DecompressionStream(coding), { signal: platformSignal(signal) })
    .getReader()
  const read = () =>
    reader.read().catch(() => {
      signal.throwIfAborted()
      throw new BadRequestProblem({
        detail: `The body can't be decompressed: it is damaged, or not ${coding} as its Content-Encoding says`,
      })
    })
  const chunks: Array<Uint8Array> = []
  let size = 0
  try {
    for (let piece = await read(); !piece.done; piece = await read()) {
      spend(piece.value.length)
      size += piece.value.length
      chunks.push(piece.value)
    }
  } finally {
    // After the end this does nothing; before it, nobody wants the rest.
    reader.cancel().catch(() => {})
  }
  // An aborted stream of Node's ends as if it were whole.
  signal.throwIfAborted()
  return joined(chunks, size, leadOf(jsonLength))
}

const joined = (chunks: ReadonlyArray<Uint8Array>, size: number, lead: number): Uint8Array => {
  const whole = new Uint8Array(lead + size).subarray(lead)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

const encoder = new TextEncoder()

/** Rejects with the reason of the signal once it is aborted. */
export const compress = async (
  body: ResponseBody,
  coding: Coding,
  signal: CallerSignal,
): Promise<ReadonlyArray<Uint8Array>> => {
  const chunks = typeof body === "string" ? [encoder.encode(body)] : body
  const compressed: Array<Uint8Array> = []
  const stream = streamOf(chunks).pipeThrough(new CompressionStream(coding), {
    signal: platformSignal(signal),
  })
  for await (const chunk of stream) compressed.push(chunk)
  signal.throwIfAborted()
  return compressed
}
