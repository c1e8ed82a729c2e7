/** How long a server takes until it can serve, with what it served before in its data folder. */
import { RunningServer, raw, upload } from "../contenders.ts"
import { small } from "../models/BenchModel.ts"
import { isBuilt, ServeCommand } from "../serveCommand.ts"
import { median } from "../statistics.ts"
import type { Suite } from "./Suite.ts"

const modelCounts = [1, 10]

export const measureStart: Suite = async ({ plan, workspace, progress }) => {
  const file = await workspace.fileOf(small)
  const folders: Array<string> = []
  for (const count of modelCounts) {
    progress(`start: registering ${count} model${count === 1 ? "" : "s"}`)
    const folder = await workspace.dataFolder()
    await using server = await ServeCommand.start(folder)
    for (let index = 0; index < count; index++) await upload(server.port, `small-${index}`, file)
    folders.push(folder)
  }
  progress("start")
  const rawTimes: Array<number> = []
  const times = folders.map((): Array<number> => [])
  for (let round = 0; round < plan.starts; round++) {
    const since = performance.now()
    await using _raw = await RunningServer.start(raw, small, workspace)
    rawTimes.push(performance.now() - since)
    for (const [index, folder] of folders.entries()) {
      await using server = await ServeCommand.start(folder)
      times[index]?.push(server.readyMs)
    }
  }
  const row = (name: string, measured: ReadonlyArray<number>) => ({
    "": name,
    "× raw": median(measured.map((ms, round) => ms / (rawTimes[round] ?? Number.NaN))),
    "median ms": median(measured),
    "longest ms": Math.max(...measured),
  })
  return [
    {
      title: "From the start of the process until it serves",
      rows: [
        row("raw, 1 model", rawTimes),
        ...modelCounts.map((count, index) =>
          row(
            `modelforge serve, existing folder, ${count} model${count === 1 ? "" : "s"}`,
            times[index] ?? [],
          ),
        ),
      ],
      notes: isBuilt()
        ? []
        : ["modelforge serve ran from its sources: `npm run build` first to measure what is shipped"],
    },
  ]
}
