import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, it } from "@effect/vitest"
import { countBuffersWithHeap } from "../../src/node/garbageCollection.ts"

const walks = async (...flags: ReadonlyArray<string>): Promise<number> => {
  const script = fileURLToPath(new URL("churn.ts", import.meta.url))
  const node = ["--conditions=modelforge-source", "--no-warnings", script, ...flags]
  const { stdout } = await promisify(execFile)(process.execPath, node)
  return JSON.parse(stdout).walks
}

it("large bodies have the heap walked far less often than by V8's own rule", async () => {
  const [uncounted, counted] = [await walks(), await walks("--counted")]
  assert.isAbove(uncounted, 4)
  assert.isBelow(counted, uncounted / 2)
})

it("engines without the flag are left alone", () => {
  for (const engine of ["12.4.254.21-node.33", "14.1.146.11", "113.1"])
    assert.isFalse(countBuffersWithHeap(engine))
})
