import { expect, it } from "vitest"
import { contenders, raw } from "../../src/contenders.ts"
import { small } from "../../src/models/BenchModel.ts"
import { quickPlan } from "../../src/Plan.ts"
import { renderTable } from "../../src/report.ts"
import { compare } from "../../src/suites/throughput.ts"
import { Workspace } from "../../src/Workspace.ts"

it("compares what is hand-written with itself joined, and the loop without HTTP", async () => {
  await using workspace = await Workspace.make()
  const [table, none] = await compare(
    {
      model: small,
      protocols: ["json"],
      connections: [2],
      seconds: 0.1,
      contenders: contenders.filter((contender) => "raw" in contender),
    },
    { workspace, plan: { ...quickPlan, rounds: 2 }, progress: () => {} },
  )
  expect(none).toBeUndefined()
  expect(table?.rows.map((row) => row[""])).toEqual([raw.name, "raw joined", "ORT loop, no HTTP"])
  expect(table?.rows[0]).toMatchObject({ "× raw": 1, lowest: 1, highest: 1 })
  for (const row of table?.rows ?? []) expect(row["× raw"]).toBeGreaterThan(0)
  expect(table?.notes).toEqual([expect.stringMatching(/^raw: \d+\/s$/)])
  expect(table && renderTable(table)).toContain("2 connections\n")
})
