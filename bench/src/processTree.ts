/**
 * What a server and the processes it started take, the database apart. Linux only: it reads /proc. A contender's
 * processor time tells what a request costs also when others keep the machine busy, which wall time does not.
 */
import { readdirSync, readFileSync } from "node:fs"

interface Usage {
  /** Resident memory, in MB. */
  readonly megabytes: number
  /** Processor time since the processes were started, in seconds. */
  readonly cpuSeconds: number
}

/** What Linux counts processor time in; it is the same on every architecture that Node runs on. */
const ticksPerSecond = 100
const pageBytes = 4096

/** Fields of /proc/PID/stat, by their number in proc(5) less three: they follow the name, which may hold anything. */
const field = { parent: 1, userTicks: 11, systemTicks: 12, residentPages: 21 }

const readProcess = (id: string) => {
  try {
    const text = readFileSync(`/proc/${id}/stat`, "utf8")
    const nameEnd = text.lastIndexOf(")")
    const fields = text.slice(nameEnd + 2).split(" ")
    const number = (index: number) => Number(fields[index])
    return {
      id: Number(id),
      parent: number(field.parent),
      isDatabase: text.slice(0, nameEnd).includes("(postgres"),
      megabytes: (number(field.residentPages) * pageBytes) / 2 ** 20,
      cpuSeconds: (number(field.userTicks) + number(field.systemTicks)) / ticksPerSecond,
    }
  } catch {
    return undefined // it ended meanwhile
  }
}

/** Undefined where there is no /proc. */
export const processTree = (root: number): Usage | undefined => {
  if (process.platform !== "linux") return undefined
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((id) => readProcess(id) ?? [])
  const usage = { megabytes: 0, cpuSeconds: 0 }
  const add = (id: number) => {
    const own = processes.find((each) => each.id === id)
    if (own === undefined || own.isDatabase) return
    usage.megabytes += own.megabytes
    usage.cpuSeconds += own.cpuSeconds
    for (const { id: child, parent } of processes) if (parent === id) add(child)
  }
  add(root)
  return usage
}
