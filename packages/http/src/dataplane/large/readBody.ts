/**
 * Reads large bodies. What comes of it is plain data, for it may have to go to another thread. Nothing here needs Effect
 * until a body is not plainly a request.
 */

import { takesLongIntegers } from "../json/exactJson.ts"
import { joinBody, leadOf, type RequestBody } from "../request/requestBody.ts"
import type { BodyJob, InferJob, PredictJob } from "./bodyJob.ts"
import { type ScannedBody, scanInfer, scanPredict } from "./scanBody.ts"
import type { ReadInfer, ReadPredict, Refused } from "./wholeBody.ts"

/** The members of a body beside its tensors, as `JSON.parse` gives them, and the tensors. */
export interface Scanned extends ScannedBody {
  readonly as: "scanned"
}

export type PredictReply = (Scanned | ReadPredict | Refused) & {
  /** The job's, given back where it may have to be read again. */
  readonly body?: RequestBody
}

export type InferReply = Scanned | ReadInfer | Refused

const scan = (job: BodyJob, json: Uint8Array): ScannedBody | undefined => {
  if (job.signature === undefined) return undefined
  const exact = takesLongIntegers(job.signature)
  if (job.kind === "infer") return job.jsonLength === undefined ? scanInfer(json, exact) : undefined
  const datatypes = new Map(job.signature.inputs.map(({ name, datatype }) => [name, datatype]))
  return scanPredict(json, datatypes, exact)
}

/** Reads a `/v1` body from `bytes`, which are the job's. Rejects only for what nobody expects. */
export const readPredictBytes = async (job: PredictJob, bytes: Uint8Array) => {
  const scanned = scan(job, bytes)
  if (scanned !== undefined) return { as: "scanned" as const, ...scanned }
  const { readWholePredict } = await import("./wholeBody.ts")
  return readWholePredict(bytes, job.signature)
}

/** Reads a V2 body, likewise. */
export const readInferBytes = async (job: InferJob, bytes: Uint8Array): Promise<InferReply> => {
  const scanned = scan(job, bytes)
  if (scanned !== undefined) return { as: "scanned", ...scanned }
  const { readWholeInfer } = await import("./wholeBody.ts")
  return readWholeInfer(bytes, job.signature, job.jsonLength)
}

/** Whether a body is worth keeping: it names its version, or its inputs were not looked at. */
export const mayBeReadAgain = (job: PredictJob, read: PredictReply): boolean => {
  if (job.signature === undefined) return true
  return read.as === "whole"
    ? read.members.version !== undefined
    : read.as === "scanned" && namesVersion(read)
}

const namesVersion = ({ value }: Scanned): boolean =>
  typeof value === "object" && value !== null && "version" in value && value.version !== null

/** Does a job on the thread that calls it. */
export const readPredictJob = async (job: PredictJob): Promise<PredictReply> => ({
  ...(await readPredictBytes(job, joinBody(job.body))),
  body: job.body,
})

/** Does a job on the thread that calls it. */
export const readInferJob = (job: InferJob): Promise<InferReply> =>
  readInferBytes(job, joinBody(job.body, leadOf(job.jsonLength ?? 0)))
