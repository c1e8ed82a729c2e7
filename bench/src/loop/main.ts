/** `ORT loop`: the model run over and over on one input, in one process without HTTP: all that the runtime can give. */
import { Schema } from "effect"
import { rawOptions } from "../raw/RawOptions.ts"
import { openSession, plainRuns } from "../raw/RawSession.ts"
import { serveJobs } from "../serveJobs.ts"
import { LoopJob, type LoopResult } from "./LoopJob.ts"

const options = rawOptions()
const run = plainRuns(await openSession(options.file, options.threads), options.input)
const decode = Schema.decodeUnknownSync(LoopJob)

serveJobs(undefined, async (message): Promise<LoopResult> => {
  const job = decode(message)
  const start = performance.now()
  const end = start + job.seconds * 1000
  let runs = 0
  for (; performance.now() < end; runs++) await run(job.row)
  return { runs, seconds: (performance.now() - start) / 1000 }
})
