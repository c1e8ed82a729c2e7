/** Whether memory comes back: after loads and unloads of a large model, and after very many predictions. */
import { setTimeout as sleep } from "node:timers/promises"
import { ChildProcess } from "../ChildProcess.ts"
import { contenders, forgeInline, forgeProcess, manage, RunningServer } from "../contenders.ts"
import { LoadGenerator } from "../LoadGenerator.ts"
import type { CyclesJob, CyclesOptions } from "../memory/CyclesJob.ts"
import { big, small } from "../models/BenchModel.ts"
import { processTree } from "../processTree.ts"
import type { Table } from "../report.ts"
import { predictRequest, wireBytes } from "../requests.ts"
import type { Bench, Suite } from "./Suite.ts"

/** An unload is not awaited by the delete that causes it. */
const settleMs = 1500

const settled = async (pid: number): Promise<number | undefined> => {
  await sleep(settleMs)
  return processTree(pid)?.megabytes
}

const ratio = (after: number | undefined, before: number | undefined) =>
  before === undefined || after === undefined ? undefined : after / before

/** Grows to a level and stays there, or grows: the second half tells. */
const row = (name: string, [before, halfway, after]: ReadonlyArray<number | undefined>) => ({
  "": name,
  "after ÷ before": ratio(after, before),
  "after ÷ halfway": ratio(after, halfway),
  "before MB": before,
  "halfway MB": halfway,
  "after MB": after,
})

/** Memory before, halfway and after `work` was done `count` times. */
const around = async (pid: number, count: number, work: (count: number) => Promise<unknown>) => {
  const half = Math.floor(count / 2)
  const before = await settled(pid)
  await work(half)
  const halfway = await settled(pid)
  await work(count - half)
  return [before, halfway, await settled(pid)]
}

/** Before the first of these, the runtime and the compiler have not taken what they keep. */
const warmCycles = 2

const loadAndUnload = async ({ plan, workspace, progress }: Bench): Promise<Table> => {
  const file = await workspace.fileOf(big)
  const rows: Array<ReturnType<typeof row>> = []
  for (const execution of ["process", "inline"] as const) {
    progress(`memory: ${plan.cycles} loads of ${big.about}, ${execution}`)
    const options: CyclesOptions = { file, execution, dataDirectory: await workspace.dataFolder() }
    const { child } = await ChildProcess.start({ entry: "memory/main.ts", options })
    await using _ended = child
    const cycles = (count: number) => child.ask({ cycles: count } satisfies CyclesJob)
    await cycles(warmCycles)
    rows.push(row(`library, ${execution}`, await around(child.pid, plan.cycles, cycles)))
  }
  return {
    title: `Resident memory around ${plan.cycles} × (push, predict, delete) of ${big.about}`,
    rows,
    notes: [`before: after ${warmCycles} such cycles; runner processes included, PostgreSQL not`],
  }
}

/** Of one version that stays registered, by the calls for it. */
const loadAndUnloadByHand = async ({ plan, workspace, progress }: Bench): Promise<Table> => {
  const rows: Array<ReturnType<typeof row>> = []
  const sent = predictRequest(big, "json")
  const version = `models/${big.name}/versions/1`
  for (const contender of [forgeProcess, forgeInline]) {
    progress(`memory: ${plan.cycles} loads by hand of ${big.about}, ${contender.name}`)
    await using server = await RunningServer.start(contender, big, workspace)
    const cycles = async (count: number) => {
      for (let cycle = 0; cycle < count; cycle++) {
        await manage(server.port, "POST", `${version}/load`)
        const { ok, status } = await server.fetch(sent)
        if (!ok) throw new Error(`${server.name} does not serve ${big.name} (${status})`)
        await manage(server.port, "POST", `${version}/unload`)
      }
    }
    await cycles(warmCycles)
    rows.push(row(server.name, await around(server.pid, plan.cycles, cycles)))
  }
  return {
    title: `Resident memory around ${plan.cycles} × (POST load, predict, POST unload) of ${big.about}`,
    rows,
    notes: [`before: after ${warmCycles} such cycles; runner processes included, PostgreSQL not`],
  }
}

/** The first thousands grow the heap of any server. */
const warmPredictions = 10_000
const connections = 16
const limitSeconds = 600

const manyPredictions = async ({ plan, workspace, progress }: Bench): Promise<Table> => {
  await using load = await LoadGenerator.start()
  const request = wireBytes(predictRequest(small, "json"))
  const rows: Array<ReturnType<typeof row>> = []
  for (const contender of contenders) {
    progress(`memory: ${plan.predictions} predictions, ${contender.name}`)
    await using server = await RunningServer.start(contender, small, workspace)
    const job = { port: server.port, connections, seconds: limitSeconds }
    const predictions = (count: number) => load.run({ ...job, requests: [request], maxRequests: count })
    await predictions(warmPredictions)
    rows.push(row(server.name, await around(server.pid, plan.predictions, predictions)))
  }
  return {
    title: `Resident memory around ${plan.predictions} predictions of ${small.name}`,
    rows,
    notes: [`before: after ${warmPredictions} predictions; runner processes included, PostgreSQL not`],
  }
}

export const measureMemory: Suite = async (bench) => [
  await loadAndUnload(bench),
  await loadAndUnloadByHand(bench),
  await manyPredictions(bench),
]
