/** The runner processes of a process, as Linux sees them. */
import { readdirSync, readFileSync } from "node:fs"

const isRunnerOf = (pid: string, parent: number): boolean => {
  try {
    const [state, ppid] = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ")
    return ppid === String(parent) && state !== "Z" && isRunner(pid)
  } catch {
    return false
  }
}

const isRunner = (pid: string): boolean =>
  /runner\/main\.ts|crashingRunner\.ts/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"))

export const runnersOf = (parent: number): Array<number> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && isRunnerOf(name, parent))
    .map(Number)

/** The process runs, and is a runner still. */
export const isRunning = (pid: number): boolean => {
  try {
    return isRunner(String(pid))
  } catch {
    return false
  }
}
