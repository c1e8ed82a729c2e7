import { expect, it } from "vitest"
import { LoadGenerator } from "../../src/LoadGenerator.ts"
import { quickPlan } from "../../src/Plan.ts"
import { tablesOf } from "../../src/suites/scale.ts"
import { listening } from "../listening.ts"

it("compares each line of a table with its baseline, over any of its models", async () => {
  const asked = new Set<string | undefined>()
  const tables = await listening(
    ({ url }, response) => {
      asked.add(url)
      response.end()
    },
    async (port) => {
      await using load = await LoadGenerator.start()
      const server = { port, pid: process.pid }
      return await tablesOf(
        [
          {
            title: "one",
            loads: [
              { name: "a", server, connections: 1, models: ["a"] },
              { name: "b", server, connections: 2, models: ["b"] },
            ],
            baseline: 1,
            against: "b",
          },
          {
            title: "two",
            loads: [{ name: "c", server, connections: 1, models: ["c", "d"] }],
            baseline: 0,
            against: "c",
          },
        ],
        load,
        { plan: { ...quickPlan, rounds: 2, scaleSeconds: 0.2 } },
      )
    },
  )
  const [one, two] = tables
  expect(one).toMatchObject({
    title: "one",
    rows: [{ "": "a" }, { "": "b", "× b": 1, lowest: 1, highest: 1 }],
  })
  expect(two).toMatchObject({ title: "two", rows: [{ "": "c", "× c": 1 }] })
  for (const { rows } of tables) for (const row of rows) expect(row["p50 ms"]).toBeGreaterThan(0)
  expect([...asked].sort()).toEqual(["a", "b", "c", "d"].map((name) => `/v1/models/${name}/predict`))
})
