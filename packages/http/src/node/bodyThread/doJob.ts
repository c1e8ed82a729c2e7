/** A job on the thread that is there for it: what comes of it, and the memory to send along. */
import type { Tensor } from "@modelforge/core"
import { outOfSlab } from "@modelforge/core/json"
import type { BodyJob } from "../../dataplane/large/bodyJob.ts"
import {
  type InferReply,
  mayBeReadAgain,
  type PredictReply,
  readInferBytes,
  readPredictBytes,
} from "../../dataplane/large/readBody.ts"
import {
  bodyLength,
  copyBody,
  joinBody,
  leadOf,
  type RequestBody,
} from "../../dataplane/request/requestBody.ts"

interface Done {
  readonly reply: PredictReply | InferReply
  readonly memory: ReadonlyArray<ArrayBuffer>
}

/** One for all bodies: memory of their own would be given back only when garbage is collected. */
let desk = new Uint8Array(0)
/** Larger bodies are rare, and get memory of their own. In bytes. */
const largestDesk = 16 * 1024 * 1024

const spread = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  const length = bodyLength(pieces)
  if (length > largestDesk) return joinBody(pieces)
  if (length > desk.length) desk = new Uint8Array(Math.min(largestDesk, 2 * length))
  copyBody(pieces, desk)
  return desk.subarray(0, length)
}

/** A body all of whose bytes are on the desk is not needed any more. `transfer` is the way to give memory back at once. */
const release = (pieces: ReadonlyArray<Uint8Array>) => {
  for (const { buffer } of pieces) if (buffer instanceof ArrayBuffer) buffer.transfer(0)
}

const buffersOf = (pieces: ReadonlyArray<Uint8Array>) =>
  pieces.map(({ buffer }) => buffer).filter((buffer) => buffer instanceof ArrayBuffer)

/**
 * In memory that can go along: strings, which lie on the desk or each in memory of its own, together in one place, and
 * small arrays out of what they share.
 */
const gather = (tensor: Tensor): Tensor => {
  if (tensor.datatype !== "BYTES") return outOfSlab(tensor)
  const whole = new Uint8Array(bodyLength(tensor.data))
  let at = 0
  const data = tensor.data.map((element) => {
    const start = at
    whole.set(element, start)
    at += element.length
    return whole.subarray(start, at)
  })
  return { ...tensor, data }
}

const memoryOf = (tensors: Iterable<Tensor>): ReadonlyArray<ArrayBuffer> => {
  const buffers = new Set<unknown>()
  for (const { data } of tensors) buffers.add(ArrayBuffer.isView(data) ? data.buffer : data[0]?.buffer)
  return [...buffers].filter((buffer) => buffer instanceof ArrayBuffer)
}

/** What was read, with its strings gathered. */
const gathered = <Read extends PredictReply | InferReply>(
  read: Read,
): { read: Read; tensors: ReadonlyArray<Tensor> } => {
  if (read.as === "refused") return { read, tensors: [] }
  if (read.as === "scanned") {
    const tensors = new Map([...read.tensors].map(([key, tensor]) => [key, gather(tensor)]))
    return { read: { ...read, tensors }, tensors: [...tensors.values()] }
  }
  const inputs = read.inputs.map(([name, tensor]) => [name, gather(tensor)] as const)
  return { read: { ...read, inputs }, tensors: inputs.map(([, tensor]) => tensor) }
}

const piecesOf = (body: RequestBody): ReadonlyArray<Uint8Array> =>
  body instanceof Uint8Array ? [body] : body

export const doJob = async (job: BodyJob): Promise<Done> => {
  const pieces = piecesOf(job.body)
  if (job.kind === "infer") {
    // Tensors that are given as bytes go along where they lie.
    const isJson = job.jsonLength === undefined
    const bytes = isJson ? spread(pieces) : joinBody(pieces, leadOf(job.jsonLength))
    const { read, tensors } = gathered(await readInferBytes(job, bytes))
    if (isJson) release(pieces)
    return { reply: read, memory: memoryOf(tensors) }
  }
  const { read, tensors } = gathered(await readPredictBytes(job, spread(pieces)))
  const memory = memoryOf(tensors)
  if (mayBeReadAgain(job, read))
    return { reply: { ...read, body: pieces }, memory: [...memory, ...buffersOf(pieces)] }
  release(pieces)
  return { reply: read, memory }
}
