/** Reading a large body, as work that can be handed to another thread. */
import type { Signature } from "@modelforge/core/model"
import type { RequestBody } from "../request/requestBody.ts"

/** A job's bytes are handed over with it: whoever gives it away must not use them any more. */
interface Job {
  readonly body: RequestBody
}

export interface PredictJob extends Job {
  readonly kind: "predict"
  /** Of the version that is likely asked; undefined when there is none. */
  readonly signature: Signature | undefined
}

export interface InferJob extends Job {
  readonly kind: "infer"
  readonly signature: Signature
  /** Bytes of JSON at the start of the body; undefined when all of it is. */
  readonly jsonLength: number | undefined
}

export type BodyJob = PredictJob | InferJob
