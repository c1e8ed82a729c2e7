/** How many copies of a model run, and on how many threads each, so that all of them never ask for more than the machine has. */
import type { Placement } from "@modelforge/core"

/** Up to this size every runner gets its own copy; beyond, one copy uses all cores. */
const smallBytes = 256 * 1024 * 1024

export interface Machine {
  readonly runners: number
  readonly cores: number
}

export interface Plan {
  readonly instances: number
  readonly intraOpThreads: number
}

const within = (value: number, most: number): number => Math.max(1, Math.min(Math.floor(value), most))

/**
 * What is given is kept within the runners and cores there are. When both are given and ask for more cores than
 * there are, instances have it: their threads are fewer. What is absent takes what is left.
 */
export const planOf = (
  { instances, intraOpThreads }: Placement,
  bytes: number,
  { runners, cores }: Machine,
): Plan => {
  const isSmall = bytes <= smallBytes
  if (instances !== undefined) {
    const copies = within(instances, runners)
    const share = Math.floor(cores / copies)
    return { instances: copies, intraOpThreads: within(intraOpThreads ?? share, share) }
  }
  if (intraOpThreads !== undefined) {
    const threads = within(intraOpThreads, cores)
    return { instances: isSmall ? within(cores / threads, runners) : 1, intraOpThreads: threads }
  }
  if (!isSmall) return { instances: 1, intraOpThreads: cores }
  return { instances: within(cores, runners), intraOpThreads: 1 }
}
