/** Where large bodies are read. */
import type { CallerSignal } from "@modelforge/core"
import { Context } from "effect"
import type { InferJob, PredictJob } from "./bodyJob.ts"
import { type InferReply, type PredictReply, readInferJob, readPredictJob } from "./readBody.ts"

/**
 * A job's bytes are handed over: whoever gives it away must not use them any more. Both reject with the signal's reason
 * when it is aborted before the job began, and with whatever nobody expects.
 */
export interface BodyReaderService {
  readonly predict: (job: PredictJob, signal: CallerSignal) => Promise<PredictReply>
  readonly infer: (job: InferJob, signal: CallerSignal) => Promise<InferReply>
}

/** By default the thread that asks reads; hosts on Node have threads for it. */
export const BodyReader = Context.Reference<BodyReaderService>("@modelforge/http/BodyReader", {
  defaultValue: () => ({ predict: readPredictJob, infer: readInferJob }),
})
