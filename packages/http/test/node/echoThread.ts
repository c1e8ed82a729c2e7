/** A thread that gives back what it gets, and ends or fails when it is told to. */
import { parentPort } from "node:worker_threads"

let served = 0

parentPort?.on("message", (message: string) => {
  if (message === "exit") process.exit(3)
  if (message === "throw") throw new Error("thrown")
  parentPort?.postMessage(
    message === "fail" ? { failed: new Error("failed") } : { done: `${message} ${++served}` },
  )
})
