/** The entry of a thread that reads large bodies. */
import { parentPort } from "node:worker_threads"
import type { BodyJob } from "../../dataplane/large/bodyJob.ts"
import type { Outcome } from "../ThreadPool.ts"
import { doJob } from "./doJob.ts"

const answer = (outcome: Outcome, memory: ReadonlyArray<ArrayBuffer> = []) =>
  parentPort?.postMessage(outcome, memory)

parentPort?.on("message", (job: BodyJob) => {
  doJob(job).then(
    ({ reply, memory }) => answer({ done: reply }, memory),
    (error: unknown) => answer({ failed: error }),
  )
})
