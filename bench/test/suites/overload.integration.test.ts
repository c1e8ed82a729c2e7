import { expect, it } from "vitest"
import { quickPlan } from "../../src/Plan.ts"
import { endure } from "../../src/suites/overload.ts"
import { listening } from "../listening.ts"

const request = Buffer.from("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
const plan = { ...quickPlan, overloadSeconds: 0.5, capacitySeconds: 0.5 }

/** Storms on a server with room for 64 requests that take 50 ms. */
const stormOn = (refusal: Readonly<Record<string, string>>) => {
  let underWay = 0
  return listening(
    (_, response) => {
      if (underWay === 64) return response.writeHead(503, refusal).end()
      underWay++
      return setTimeout(() => {
        underWay--
        response.end()
      }, 50)
    },
    (port) => endure({ port }, request, { plan, progress: () => {} }),
  )
}

it("storms with and without backoff, and looks at what is served and what is refused", async () => {
  const { rows, notes } = await stormOn({ "retry-after": "1" })
  expect(rows.map((row) => row[""])).toEqual(["10 × capacity, on the beat", "640 connections, again at once"])
  for (const row of rows) {
    expect(Number(row["refused"])).toBeGreaterThan(0)
    expect(row["sent ÷ capacity"]).toBeGreaterThan(Number(row["served ÷ capacity"]))
    // What is refused elsewhere takes nothing from a server that only waits.
    expect(Number(row["excess elsewhere"])).toBeGreaterThan(0)
    for (const latency of ["served p99 ms", "idle ms", "first after ms"])
      expect(row[latency]).toBeGreaterThan(45)
  }
  expect(notes.filter((note) => note.endsWith("not 503 with Retry-After: 0"))).toHaveLength(2)
})

it("says how many refusals do not say when to come back", async () => {
  const { notes } = await stormOn({})
  expect(notes.filter((note) => /not 503 with Retry-After: [1-9]\d*$/.test(note))).toHaveLength(2)
})
