/** Takes and drops buffers as large bodies do, beside a heap, and says how often the whole heap was walked meanwhile. */
import { constants, PerformanceObserver } from "node:perf_hooks"
import { setImmediate as turn } from "node:timers/promises"
import { countBuffersWithHeap } from "../../src/node/garbageCollection.ts"

if (process.argv.includes("--counted") && !countBuffersWithHeap())
  throw new Error("this engine has no such flag")

const heap = Array.from({ length: 200_000 }, (_, index) => ({ index, name: `member ${index}` }))
let walks = 0
const isWalk = (detail: unknown) =>
  typeof detail === "object" &&
  detail !== null &&
  "kind" in detail &&
  detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if ("detail" in entry && isWalk(entry.detail)) walks++
}).observe({ entryTypes: ["gc"] })
for (let body = 0; body < 3000; body++) {
  Buffer.alloc(600_000)
  if (body % 10 === 0) await turn()
}
await turn()
process.stdout.write(JSON.stringify({ walks, members: heap.length }))
