/** The load generator, in a process of its own. */
import { Schema } from "effect"
import { serveJobs } from "../serveJobs.ts"
import { LoadJob } from "./LoadJob.ts"
import { runLoad } from "./runLoad.ts"

const decode = Schema.decodeUnknownSync(LoadJob)
serveJobs(undefined, (message) => runLoad(decode(message)))
