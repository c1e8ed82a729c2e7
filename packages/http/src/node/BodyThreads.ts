/** Threads that read large bodies, so that the event loop goes on meanwhile. */
import { availableParallelism } from "node:os"
import type { CallerSignal } from "@modelforge/core"
import { Effect, Layer } from "effect"
import { BodyReader, type BodyReaderService } from "../dataplane/large/BodyReader.ts"
import type { BodyJob } from "../dataplane/large/bodyJob.ts"
import type { InferReply, PredictReply } from "../dataplane/large/readBody.ts"
import { isWhole } from "../dataplane/request/requestBody.ts"
import { type Message, ThreadPool } from "./ThreadPool.ts"

export interface BodyThreadsOptions {
  /** Default: as many as the machine runs at once, at most 4. They start when there is work for them. */
  readonly threads?: number
  /** The thread's module; by default the one of this package. Bundlers that move this package need to say it. */
  readonly entry?: URL
}

const mostThreads = 4

/** In source in its own folder; in the package, where all is flat, beside this file. */
const ownEntry = (): URL =>
  import.meta.url.endsWith(".ts")
    ? new URL("./bodyThread/main.ts", import.meta.url)
    : new URL("./bodyThread.js", import.meta.url)

/** Memory of its own, which can go along. Small buffers of Node's lie in memory they share. */
const own = (piece: Uint8Array): Uint8Array<ArrayBuffer> => {
  const { buffer, byteLength } = piece
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength - byteLength <= 64
  // A buffer's own slice would be a view.
  return isOwn ? new Uint8Array(buffer, piece.byteOffset, byteLength) : new Uint8Array(piece)
}

const handOver = (job: BodyJob): Message => {
  const pieces = (isWhole(job.body) ? [job.body] : job.body).map(own)
  return { value: { ...job, body: pieces }, transfer: pieces.map(({ buffer }) => buffer) }
}

const make = Effect.fnUntraced(function* (options: BodyThreadsOptions) {
  const entry = options.entry ?? ownEntry()
  const pool = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new ThreadPool({
          entry,
          threads: Math.max(1, options.threads ?? Math.min(availableParallelism(), mostThreads)),
          execArgv: entry.pathname.endsWith(".ts") ? ["--conditions=modelforge-source"] : [],
        }),
    ),
    (pool) => Effect.promise(() => pool.close()),
  )
  const read = (job: BodyJob, signal: CallerSignal) => pool.run(handOver(job), signal)
  return {
    predict: (job, signal) => read(job, signal) as Promise<PredictReply>,
    infer: (job, signal) => read(job, signal) as Promise<InferReply>,
  } satisfies BodyReaderService
})

/** `BodyReader` on threads, which end with the layer's scope. */
export const layerBodyThreads = (options: BodyThreadsOptions = {}) => Layer.effect(BodyReader, make(options))
