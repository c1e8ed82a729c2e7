import type { RequestListener } from "node:http"
import { describe, expect, it } from "vitest"
import type { LoadJob } from "../../src/load/LoadJob.ts"
import { runLoad } from "../../src/load/runLoad.ts"
import { listening } from "../listening.ts"

const get = (path: string) => Buffer.from(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`)

/** A job on a server that answers so. */
const against = (listener: RequestListener, job: Partial<LoadJob>) =>
  listening(listener, (port) =>
    runLoad({ port, requests: [get("/")], connections: 1, seconds: 20, maxRequests: 100_000, ...job }),
  )

describe("a closed loop", () => {
  it("sends as many as it may, any of its requests each time", async () => {
    const paths = new Map<string, number>()
    const result = await against(
      ({ url = "" }, response) => {
        paths.set(url, (paths.get(url) ?? 0) + 1)
        response.end("{}")
      },
      { requests: [get("/a"), get("/b")], connections: 3, maxRequests: 200 },
    )
    expect(result).toMatchObject({ answered: 200, refused: 0, improper: 0, lost: 0, missed: 0 })
    expect(result.latencies).toHaveLength(200)
    expect([...paths.keys()].sort()).toEqual(["/a", "/b"])
    expect([...paths.values()].reduce((sum, count) => sum + count)).toBe(200)
  })

  it("ends with its time", async () => {
    const result = await against((_, response) => response.end(), { seconds: 0.2 })
    expect(result.answered).toBeGreaterThan(0)
    expect(result.seconds).toBeCloseTo(0.2, 1)
  })

  it("keeps refusals apart, and tells those that say when to come back", async () => {
    let count = 0
    const result = await against(
      (_, response) => {
        count++
        if (count % 4 === 0) response.writeHead(503, { "retry-after": "1" })
        if (count % 4 === 1) response.writeHead(503)
        if (count % 4 === 2) response.writeHead(429, { "retry-after": "1" })
        response.end()
      },
      { maxRequests: 40 },
    )
    expect(result).toMatchObject({ answered: 10, refused: 30, improper: 20 })
    expect(result.latencies).toHaveLength(10)
    expect(result.refusedLatencies).toHaveLength(30)
  })

  it("makes a connection anew when the server closes it with its answer", async () => {
    const ports = new Set<number | undefined>()
    const result = await against(
      ({ socket }, response) => {
        ports.add(socket.remotePort)
        response.writeHead(503, { connection: "close", "retry-after": "2" }).end("no")
      },
      { connections: 2, maxRequests: 10 },
    )
    expect(result).toMatchObject({ refused: 10, improper: 0, lost: 0 })
    expect(ports.size).toBe(10)
  })

  const cutting: RequestListener = ({ socket }) => socket.destroy()

  it("fails when a connection ends without an answer", async () => {
    await expect(against(cutting, { maxRequests: 5 })).rejects.toThrow()
  })

  it("counts those instead where it may", async () => {
    expect(await against(cutting, { maxRequests: 5, mayLose: true })).toMatchObject({ answered: 0, lost: 5 })
  })
})

describe("a beat", () => {
  it("sends what is due at once, and so more than a timer's one a millisecond", async () => {
    const since = performance.now()
    const { latencies, missed } = await against((_, response) => response.end(), {
      seconds: 0.5,
      beat: { everyMs: 0.1, maxConnections: 20 },
    })
    const due = latencies.length + missed
    // Less by what passes between the beginning of the job and its first beat.
    expect(due).toBeGreaterThanOrEqual(4000)
    expect(due).toBeLessThanOrEqual(5001)
    expect(due).toBeGreaterThan(performance.now() - since)
  })

  it("does not wait for answers, up to so many connections", async () => {
    const held: Array<() => void> = []
    const result = await against(
      (_, response) => {
        held.push(() => response.end())
        if (held.length === 3) for (const release of held) setTimeout(release, 300)
      },
      { maxRequests: 10, beat: { everyMs: 1, maxConnections: 3 } },
    )
    expect(held).toHaveLength(3)
    expect(result).toMatchObject({ answered: 3, missed: 7 })
  })

  it("fails when a connection ends without an answer", async () => {
    const job = { seconds: 20, beat: { everyMs: 1, maxConnections: 10 } }
    await expect(against(({ socket }) => socket.destroy(), job)).rejects.toThrow()
  })
})
