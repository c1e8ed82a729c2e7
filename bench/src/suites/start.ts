/** How long a server takes until it can serve, with what it served before in its data folder. */
import { Schema } from "effect"
import { manage, RunningServer, raw, upload } from "../contenders.ts"
import { small } from "../models/BenchModel.ts"
import { isBuilt, ServeCommand } from "../serveCommand.ts"
import { median } from "../statistics.ts"
import type { Suite } from "./Suite.ts"

interface Folder {
  readonly models: number
  /** What it points at is loaded before the server is ready; other versions wait for their first request. */
  readonly alias?: "production"
}

const folders: ReadonlyArray<Folder> = [
  { models: 1 },
  { models: 1, alias: "production" },
  { models: 10 },
  { models: 10, alias: "production" },
]

const nameOf = ({ models, alias }: Folder) =>
  `${models} model${models === 1 ? "" : "s"}, ${alias === undefined ? "loaded later" : `loaded ahead for ${alias}`}`

const modelName = (index: number) => `small-${index}`

const VersionAnswer = Schema.Struct({ serving: Schema.Struct({ state: Schema.String }) })
const decodeVersion = Schema.decodeUnknownSync(VersionAnswer)

/** A row has to be what its name says. */
const check = async (server: ServeCommand, folder: Folder) => {
  const expected = folder.alias === undefined ? "unloaded" : "serving"
  for (let index = 0; index < folder.models; index++) {
    const path = `models/${modelName(index)}/versions/1`
    const { state } = decodeVersion(await manage(server.port, "GET", path)).serving
    if (state !== expected) throw new Error(`${path} is ${state} at the start, and not ${expected}`)
  }
}

export const measureStart: Suite = async ({ plan, workspace, progress }) => {
  const file = await workspace.fileOf(small)
  const measured: Array<{ readonly folder: Folder; readonly path: string; readonly times: Array<number> }> =
    []
  for (const folder of folders) {
    progress(`start: registering ${nameOf(folder)}`)
    const path = await workspace.dataFolder()
    await using server = await ServeCommand.start(path)
    for (let index = 0; index < folder.models; index++)
      await upload(server.port, modelName(index), file, folder.alias)
    measured.push({ folder, path, times: [] })
  }
  progress("start")
  const rawTimes: Array<number> = []
  for (let round = 0; round < plan.starts; round++) {
    const since = performance.now()
    await using _raw = await RunningServer.start(raw, small, workspace)
    rawTimes.push(performance.now() - since)
    for (const { folder, path, times } of measured) {
      await using server = await ServeCommand.start(path)
      times.push(server.readyMs)
      await check(server, folder)
    }
  }
  const row = (name: string, times: ReadonlyArray<number>) => ({
    "": name,
    "× raw": median(times.map((ms, round) => ms / (rawTimes[round] ?? Number.NaN))),
    "median ms": median(times),
    "longest ms": Math.max(...times),
  })
  return [
    {
      title: "From the start of the process until it serves; modelforge serve with an existing folder",
      rows: [
        row("raw, 1 model", rawTimes),
        ...measured.map(({ folder, times }) => row(nameOf(folder), times)),
      ],
      notes: isBuilt()
        ? []
        : ["modelforge serve ran from its sources: `npm run build` first to measure what is shipped"],
    },
  ]
}
