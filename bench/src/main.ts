/** `npm run bench`: measures, prints tables, ends. Everything it starts ends with it. */
import { writeFile } from "node:fs/promises"
import { constants } from "node:os"
import { type Arguments, readArguments, usage } from "./arguments.ts"
import { machine, machineLine } from "./machine.ts"
import { renderTable, type Table } from "./report.ts"
import { stopAll } from "./running.ts"
import { suites } from "./suites/all.ts"
import { Workspace } from "./Workspace.ts"

const started = performance.now()
const seconds = () => ((performance.now() - started) / 1000).toFixed(0)

const read = (): Arguments => {
  try {
    return readArguments(process.argv.slice(2))
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`)
    return process.exit(2)
  }
}

const { plan, suites: names, json } = read()
const here = machine()
console.log(`${machineLine(here)}\n`)
if (here.cores < 2) console.log("One core only: the load takes from the servers what it needs itself.\n")

const measureAll = async () => {
  await using workspace = await Workspace.make()
  const results: Record<string, ReadonlyArray<Table>> = {}
  for (const name of names) {
    const tables = await suites[name]({
      plan,
      workspace,
      progress: (text) => console.error(`[${seconds()} s] ${text}`),
    })
    results[name] = tables
    for (const table of tables) console.log(renderTable(table))
  }
  return results
}

// What is measured then fails, and takes everything down in order, the folder last.
let stoppedBy: "SIGINT" | "SIGTERM" | undefined
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    stoppedBy = signal
    void stopAll()
  })

try {
  const results = await measureAll()
  if (json !== undefined)
    await writeFile(json, `${JSON.stringify({ machine: here, plan, results }, null, 2)}\n`)
  console.log(`${seconds()} s`)
} catch (error) {
  if (stoppedBy === undefined) console.error(error)
  process.exitCode = stoppedBy === undefined ? 1 : 128 + constants.signals[stoppedBy]
}
