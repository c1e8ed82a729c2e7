/** A runner whose runtime crashes or hangs on a file that says so. */
import { readFileSync } from "node:fs"
import { DescriptorConnection } from "../../src/runner/Connection.ts"
import { openSession } from "../../src/runner/OrtSession.ts"
import { serveRunner } from "../../src/runner/RunnerHost.ts"

await serveRunner(new DescriptorConnection(3, 3), (file, options) => {
  const text = readFileSync(file, "latin1")
  if (text === "crash") process.abort()
  while (text === "hang") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
  return openSession(file, options)
})
