/** Entry of a runner process. Descriptor 3 carries the frames; descriptor 0 stays open as long as the host lives. */
import { Worker } from "node:worker_threads"
import { DescriptorConnection } from "./Connection.ts"
import { openSession } from "./OrtSession.ts"
import { serveRunner } from "./RunnerHost.ts"

// A terminal's Ctrl-C is the host's to handle.
process.on("SIGINT", () => {})

// A run holds the main thread, perhaps for ever; another thread sees the host die, even by kill -9.
new Worker(
  `const { Socket } = require("node:net")
   new Socket({ fd: 0 }).on("error", () => {}).on("close", () => process.kill(process.pid, "SIGKILL")).resume()`,
  { eval: true, resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 } },
).unref()

// The host sees the process end, and whatever went wrong here it can't be told any more.
const end = () => process.exit(0)
serveRunner(new DescriptorConnection(3, 3), openSession).then(end, end)
