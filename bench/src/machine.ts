/** One line on where the numbers come from. */
import { createRequire } from "node:module"
import { availableParallelism, cpus, loadavg, totalmem } from "node:os"
import { canPin } from "./ChildProcess.ts"

const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as {
  readonly version: string
}

export const machine = () => ({
  cores: availableParallelism(),
  processor: cpus()[0]?.model.trim() ?? "unknown",
  memoryGB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  onnxruntime: version,
  /** Runnable processes at the start; those of others make all numbers worse. */
  load: loadavg()[0] ?? 0,
  pinned: canPin,
})

export const machineLine = ({
  cores,
  processor,
  memoryGB,
  node,
  onnxruntime,
  load,
  pinned,
}: ReturnType<typeof machine>) =>
  `${cores} cores (${processor}), ${memoryGB} GB, node ${node}, onnxruntime-node ${onnxruntime}, load before ${load.toFixed(2)}${pinned ? "" : ", no taskset: nothing is pinned"}`
