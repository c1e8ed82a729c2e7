/** Compares the contenders on one model and one kind of request, for each number of connections. */
import { Schema } from "effect"
import { outputOf, sameOutput } from "../answers.ts"
import { ChildProcess } from "../ChildProcess.ts"
import { type Contender, RunningServer } from "../contenders.ts"
import { busyNotes, LoadGenerator } from "../LoadGenerator.ts"
import { type LoopJob, LoopResult } from "../loop/LoopJob.ts"
import type { BenchModel } from "../models/BenchModel.ts"
import { processTree } from "../processTree.ts"
import type { RawOptions } from "../raw/RawOptions.ts"
import type { Table } from "../report.ts"
import { type Protocol, predictRequest, wireBytes } from "../requests.ts"
import { interleave, type Sample, type Subject, type Summary, summarize } from "../rounds.ts"
import type { Bench } from "./Suite.ts"

export interface Scenario {
  readonly model: BenchModel
  readonly protocols: ReadonlyArray<Protocol>
  readonly connections: ReadonlyArray<number>
  /** Of each measurement. */
  readonly seconds: number
  /** The first one is what the others are compared with. */
  readonly contenders: ReadonlyArray<Contender>
  /** Measured with several connections only: with one there is nothing to join. Default: none. */
  readonly unbatched?: ReadonlyArray<Contender>
  /** Cores of the servers and of the load, where they have one of their own; otherwise they share what there is. */
  readonly cores?: { readonly server: number; readonly load: number }
}

const decodeLoop = Schema.decodeUnknownSync(LoopResult)

const startLoop = async (model: BenchModel, file: string): Promise<ChildProcess> => {
  const options: RawOptions = { file, input: model.input, joined: false, threads: 1 }
  return (await ChildProcess.start({ entry: "loop/main.ts", options, core: 0 })).child
}

/** A measurement, and the processor time that the subject's processes took meanwhile. */
export const withProcessorTime = async (
  pid: number,
  measure: () => Promise<Omit<Sample, "cpuSeconds">>,
): Promise<Sample> => {
  const cpuSeconds = () => processTree(pid)?.cpuSeconds ?? Number.NaN
  const before = cpuSeconds()
  const sample = await measure()
  return { ...sample, cpuSeconds: cpuSeconds() - before }
}

const loopSubject = (loop: ChildProcess, model: BenchModel, seconds: number): Subject => ({
  name: "ORT loop, no HTTP",
  measure: () =>
    withProcessorTime(loop.pid, async () => {
      const job: LoopJob = { row: model.row, seconds }
      const result = decodeLoop(await loop.ask(job))
      return {
        answered: result.runs,
        seconds: result.seconds,
        latencies: new Float64Array(),
        refused: 0,
        busy: 0,
      }
    }),
})

const row = (name: string, summary: Summary) => ({
  "": name,
  "× raw": summary.ratio,
  lowest: summary.lowest,
  highest: summary.highest,
  "× raw per CPU": summary.cpuRatio,
  "p50 ms": summary.p50,
  "p95 ms": summary.p95,
  "p99 ms": summary.p99,
})

const notesOf = (subjects: ReadonlyArray<Subject>, summaries: ReadonlyArray<Summary>): Array<string> => {
  const [first] = summaries
  const notes = first === undefined ? [] : [`${subjects[0]?.name}: ${Math.round(first.rate)}/s`]
  for (const [index, { refused, busy }] of summaries.entries()) {
    const name = subjects[index]?.name ?? ""
    if (refused > 0) notes.push(`${name}: ${refused} answers were not 200 and do not count`)
    notes.push(...busyNotes(name, busy))
  }
  return notes
}

export const compare = async (
  { model, protocols, connections, seconds, contenders, unbatched = [], cores }: Scenario,
  { plan, workspace, progress }: Bench,
): Promise<ReadonlyArray<Table>> => {
  await using stack = new AsyncDisposableStack()
  const load = stack.use(await LoadGenerator.start(cores?.load))
  const loop = stack.use(await startLoop(model, await workspace.fileOf(model)))
  const start = async (started: ReadonlyArray<Contender>): Promise<ReadonlyArray<RunningServer>> => {
    const servers: Array<RunningServer> = []
    for (const contender of started) {
      progress(`${model.name}: starting ${contender.name}`)
      servers.push(stack.use(await RunningServer.start(contender, model, workspace, { core: cores?.server })))
    }
    return servers
  }
  const always = await start(contenders)
  const withSeveral = await start(unbatched)

  const measure = async (protocol: Protocol, count: number): Promise<Table> => {
    const sent = predictRequest(model, protocol)
    const request = wireBytes(sent)
    const subjects: Array<Subject> = []
    const notes: Array<string> = []
    let reference: ReadonlyArray<number> | undefined
    for (const server of count > 1 ? [...always, ...withSeveral] : always) {
      const response = await server.fetch(sent)
      if (!response.ok) {
        notes.push(`${server.name}: does not take this request (${response.status})`)
        continue
      }
      const output = await outputOf(response)
      reference ??= output
      if (!sameOutput(output, reference))
        throw new Error(`${server.name} gives other outputs for ${model.name}`)
      const run = () => load.run({ port: server.port, requests: [request], connections: count, seconds })
      await run() // warm
      subjects.push({ name: server.name, measure: () => withProcessorTime(server.pid, run) })
    }
    subjects.push(loopSubject(loop, model, seconds))
    progress(`${model.name}, ${protocol}, ${count} connections`)
    const samples = await interleave(subjects, plan.rounds)
    const summaries = samples.map((each) => summarize(each, samples[0] ?? []))
    return {
      title: `${model.name} (${model.about}), ${protocol} of ${sent.body.length} bytes, ${count} connection${count === 1 ? "" : "s"}`,
      rows: summaries.map((summary, index) => row(subjects[index]?.name ?? "", summary)),
      notes: [...notesOf(subjects, summaries), ...notes],
    }
  }

  const tables: Array<Table> = []
  for (const protocol of protocols)
    for (const count of connections) tables.push(await measure(protocol, count))
  return tables
}
