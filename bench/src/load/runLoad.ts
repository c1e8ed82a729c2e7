/** Runs one job: a closed loop on fixed connections, or a steady beat. Always bounded in time and count. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Connection } from "./Connection.ts"
import { ConnectionPool } from "./ConnectionPool.ts"
import type { LoadJob, LoadResult } from "./LoadJob.ts"
import { Tally } from "./Tally.ts"

const anyOf = ({ requests }: LoadJob): Uint8Array =>
  requests.length === 1 ? requests[0] : (requests[Math.floor(Math.random() * requests.length)] ?? requests[0])

/** One request and its answer. Where a connection has to be made for it, that is part of what it takes. */
const exchange = async (
  taken: Connection | Promise<Connection>,
  pool: ConnectionPool,
  job: LoadJob,
  tally: Tally,
): Promise<void> => {
  const since = performance.now()
  let connection: Connection | undefined
  try {
    connection = await taken
    tally.add(since, await connection.send(anyOf(job)))
  } catch (error) {
    if (job.mayLose !== true) throw error
    tally.lose()
  } finally {
    if (connection !== undefined) pool.give(connection)
  }
}

/** As many of these run side by side as there are connections. */
const asFastAsAnswered = async (pool: ConnectionPool, job: LoadJob, tally: Tally, end: number) => {
  while (performance.now() < end && tally.begin()) {
    const taken = pool.take()
    if (taken === undefined) throw new Error("more requests at once than connections")
    await exchange(taken, pool, job, tally)
  }
}

/**
 * Sends whether or not the answers before came: who waits for them would measure fewer of the slow ones. Timers have
 * milliseconds, so what came due since the last one is sent at once.
 */
const onTheBeat = async (pool: ConnectionPool, job: LoadJob, tally: Tally, end: number, everyMs: number) => {
  const waiting = new Set<Promise<void>>()
  const failures: Array<unknown> = []
  const send = (taken: Connection | Promise<Connection>) => {
    const done = exchange(taken, pool, job, tally)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => waiting.delete(done))
    waiting.add(done)
  }
  let due = performance.now()
  for (let more = true; more && failures.length === 0; ) {
    const now = performance.now()
    for (; due <= now && due < end && more; due += everyMs) {
      more = tally.begin()
      const taken = more ? pool.take() : undefined
      if (taken !== undefined) send(taken)
      else if (more) tally.miss()
    }
    more &&= due < end
    if (more) await sleep(due - now)
  }
  await Promise.all(waiting)
  if (failures.length > 0) throw failures[0]
}

/** A server that does not answer at all is cut off so long after the end. */
const patienceMs = 10_000

export const runLoad = async (job: LoadJob): Promise<LoadResult> => {
  const pool = new ConnectionPool(job.port, job.beat?.maxConnections ?? job.connections)
  try {
    await pool.fill(job.connections)
    const before = process.cpuUsage()
    const start = performance.now()
    const end = start + job.seconds * 1000
    const tally = new Tally(job.maxRequests, end)
    const cutOff = setTimeout(() => pool.cutOff(), job.seconds * 1000 + patienceMs)
    try {
      await (job.beat === undefined
        ? Promise.all(Array.from({ length: job.connections }, () => asFastAsAnswered(pool, job, tally, end)))
        : onTheBeat(pool, job, tally, end, job.beat.everyMs))
    } finally {
      clearTimeout(cutOff)
    }
    const finished = performance.now()
    const { user, system } = process.cpuUsage(before)
    const busy = (user + system) / 1000 / (finished - start)
    return tally.result((Math.min(finished, end) - start) / 1000, busy)
  } finally {
    pool.close()
  }
}
