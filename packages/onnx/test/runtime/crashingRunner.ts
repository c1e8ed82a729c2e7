/** A runner whose runtime crashes or hangs on a file that says so, and crashes on inputs that begin with -1. */
import { readFileSync } from "node:fs"
import { DescriptorConnection } from "../../src/runner/Connection.ts"
import { openSession } from "../../src/runner/OrtSession.ts"
import { serveRunner } from "../../src/runner/RunnerHost.ts"

await serveRunner(new DescriptorConnection(3, 3), async (file, options) => {
  const text = readFileSync(file, "latin1")
  if (text === "crash") process.abort()
  while (text === "hang") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
  const session = await openSession(file, options)
  return {
    ...session,
    run: (inputs, outputs) => {
      if (inputs["x"]?.data[0] === -1) process.abort()
      return session.run(inputs, outputs)
    },
  }
})
