/** Recognizes processes by more than their number, which is given out again (in a container always from 1). */
import { performance } from "node:perf_hooks"

export interface ProcessIdentity {
  readonly pid: number
  /** When this process started, as it sees it, in milliseconds since 1970. */
  readonly startedAt: number
}

export const self: ProcessIdentity = {
  pid: process.pid,
  startedAt: Math.round(performance.timeOrigin),
}

/** Whether a process with this number exists, whoever owns it. */
export const exists = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** A process that has our number but not our start is an earlier one. */
export const isAlive = ({ pid, startedAt }: ProcessIdentity) =>
  pid === self.pid ? startedAt === self.startedAt : exists(pid)
