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

/** Sends whether or not the answers before came: who waits for them would measure fewer of the slow ones. */
const onTheBeat = async (
  pool: Array<Connection>,
  job: LoadJob,
  tally: Tally,
  end: number,
  everyMs: number,
) => {
  const idle = [...pool]
  const open = async () => {
    const connection = await Connection.open(job.port)
    pool.push(connection)
    return connection
  }
  const sent: Array<Promise<void>> = []
  for (let due = performance.now(); due < end && tally.begin(); due += everyMs) {
    await sleep(Math.max(0, due - performance.now()))
    const connection = idle.pop() ?? (await open())
    const since = performance.now()
    const answered = connection.send(job.request).then((status) => {
      tally.add(since, status)
      idle.push(connection)
    })
    answered.catch(() => {}) // until it is looked at, below
    sent.push(answered)
  }
  await Promise.all(sent)
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
    await (job.everyMs === undefined
      ? Promise.all(opened.map((connection) => asFastAsAnswered(connection, job, tally, end)))
      : onTheBeat(opened, job, tally, end, job.everyMs))
  } finally {
    clearTimeout(cutOff)
    for (const connection of opened) connection.close()
  }
  const finished = performance.now()
  const { user, system } = process.cpuUsage(before)
  const busy = (user + system) / 1000 / (finished - start)
  return tally.result((Math.min(finished, end) - start) / 1000, busy)
}
