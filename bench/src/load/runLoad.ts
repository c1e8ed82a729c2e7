/** Runs one job: a closed loop on fixed connections, or a steady beat. Always bounded in time and count. */
import { setTimeout as sleep } from "node:timers/promises"
import { Connection } from "./Connection.ts"
import type { LoadJob, LoadResult } from "./LoadJob.ts"

/** Latencies and statuses as they come. */
class Tally {
  readonly #latencies: Array<number> = []
  #refused = 0
  readonly #maxRequests: number
  #begun = 0

  constructor(maxRequests: number) {
    this.#maxRequests = maxRequests
  }

  /** Whether one more request may be sent. */
  begin(): boolean {
    return this.#begun++ < this.#maxRequests
  }

  add(since: number, status: number): void {
    this.#latencies.push(performance.now() - since)
    if (status !== 200) this.#refused++
  }

  result(seconds: number, busy: number): LoadResult {
    const latencies = Float64Array.from(this.#latencies).sort()
    return { answered: latencies.length - this.#refused, refused: this.#refused, seconds, latencies, busy }
  }
}

const asFastAsAnswered = async (connection: Connection, { request }: LoadJob, tally: Tally, end: number) => {
  for (let now = performance.now(); now < end && tally.begin(); now = performance.now()) {
    const status = await connection.send(request)
    if (performance.now() < end) tally.add(now, status)
  }
}

/** A late answer also delays the requests after it: they count from when they should have been sent. */
const onTheBeat = async (
  connection: Connection,
  job: LoadJob,
  tally: Tally,
  end: number,
  everyMs: number,
) => {
  for (let due = performance.now(); due < end && tally.begin(); due += everyMs) {
    const early = due - performance.now()
    // Timers fire up to a millisecond late, which is not the server's doing: count from the real sending.
    const since = early > 0 ? await sleep(early).then(() => performance.now()) : due
    tally.add(since, await connection.send(job.request))
  }
}

/** A server that does not answer at all is cut off so long after the end. */
const patienceMs = 10_000

export const runLoad = async (job: LoadJob): Promise<LoadResult> => {
  const opened = await Promise.all(Array.from({ length: job.connections }, () => Connection.open(job.port)))
  const tally = new Tally(job.maxRequests)
  const before = process.cpuUsage()
  const start = performance.now()
  const end = start + job.seconds * 1000
  const cutOff = setTimeout(
    () => {
      for (const connection of opened) connection.cutOff()
    },
    job.seconds * 1000 + patienceMs,
  )
  try {
    await Promise.all(
      opened.map((connection) =>
        job.everyMs === undefined
          ? asFastAsAnswered(connection, job, tally, end)
          : onTheBeat(connection, job, tally, end, job.everyMs),
      ),
    )
  } finally {
    clearTimeout(cutOff)
    for (const connection of opened) connection.close()
  }
  const finished = performance.now()
  const { user, system } = process.cpuUsage(before)
  const busy = (user + system) / 1000 / (finished - start)
  return tally.result((Math.min(finished, end) - start) / 1000, busy)
}
