import { readFile } from "node:fs/promises"
import { Effect } from "effect"

/** Linux counts resident memory in pages of 4 KiB on the machines that onnxruntime-node supports. */
const pageBytes = 4096

/** Memory that a process holds in RAM; 0 when it is gone, or not on Linux. */
export const residentBytes = (pid: number): Effect.Effect<number> =>
  Effect.promise(() =>
    readFile(`/proc/${pid}/statm`, "utf8").then(
      (text) => Number(text.split(" ")[1]) * pageBytes,
      () => 0,
    ),
  )
