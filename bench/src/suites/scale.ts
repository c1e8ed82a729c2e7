/** Whether there is a knee: with the number of connections, and with the number of models that are registered. */
import { type Contender, forgeInline, forgeProcess, RunningServer, upload } from "../contenders.ts"
import { busyNotes, LoadGenerator } from "../LoadGenerator.ts"
import { small } from "../models/BenchModel.ts"
import type { Table } from "../report.ts"
import { predictRequest, wireBytes } from "../requests.ts"
import { interleave, type Subject, type Summary, summarize } from "../rounds.ts"
import type { Bench, Suite } from "./Suite.ts"
import { withProcessorTime } from "./throughput.ts"

/** One for the servers and one for the load, as in the suite `small`. */
const cores = { server: 0, load: 1 }

const requestFor = (name: string) => wireBytes(predictRequest({ ...small, name }, "json"))

/** One line of a table. */
interface Load {
  readonly name: string
  readonly server: Pick<RunningServer, "port" | "pid">
  readonly connections: number
  /** Names of the models; each request is for any one of them. */
  readonly models: readonly [string, ...ReadonlyArray<string>]
}

/** One table. */
export interface Comparison {
  readonly title: string
  readonly loads: ReadonlyArray<Load>
  /** Index of what the others are compared with, and what to call it. */
  readonly baseline: number
  readonly against: string
}

const row = (name: string, against: string, summary: Summary) => ({
  "": name,
  [`× ${against}`]: summary.ratio,
  lowest: summary.lowest,
  highest: summary.highest,
  "p50 ms": summary.p50,
  "p99 ms": summary.p99,
})

/** All loads of all tables are interleaved. */
export const tablesOf = async (
  comparisons: ReadonlyArray<Comparison>,
  load: LoadGenerator,
  { plan }: Pick<Bench, "plan">,
): Promise<ReadonlyArray<Table>> => {
  const subjectOf = ({ name, server, connections, models: [first, ...others] }: Load): Subject => {
    const requests = [requestFor(first), ...others.map(requestFor)] as const
    const job = { port: server.port, requests, connections, seconds: plan.scaleSeconds }
    return { name, measure: () => withProcessorTime(server.pid, () => load.run(job)) }
  }
  const subjects = comparisons.flatMap(({ loads }) => loads.map(subjectOf))
  for (const { measure } of subjects) await measure() // warm
  const samples = [...(await interleave(subjects, plan.rounds))]
  return comparisons.map(({ title, loads, baseline, against }) => {
    const own = samples.splice(0, loads.length)
    const summaries = own.map((each) => summarize(each, own[baseline] ?? []))
    const named = loads.flatMap(({ name }, index) => {
      const summary = summaries[index]
      return summary === undefined ? [] : [{ name, summary }]
    })
    return {
      title,
      rows: named.map(({ name, summary }) => row(name, against, summary)),
      notes: named.flatMap(({ name, summary: { refused, busy } }) => [
        ...(refused > 0 ? [`${name}: ${refused} answers were not 200 and do not count`] : []),
        ...busyNotes(name, busy),
      ]),
    }
  })
}

const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`

const connectionCounts = [1, 4, 16, 64, 256]
const baselineCount = 16

const overConnections = (server: RunningServer): Comparison => ({
  title: `${small.name} on ${server.name}, by the number of connections`,
  loads: connectionCounts.map((connections) => ({
    name: plural(connections, "connection"),
    server,
    connections,
    models: [small.name],
  })),
  baseline: connectionCounts.indexOf(baselineCount),
  against: plural(baselineCount, "connection"),
})

/** How many of the registered models are asked for. */
const spread = 20
const uploadsAtOnce = 4

/** Registers the small model under more names; gives all of them. */
const registerMore = async (server: RunningServer, count: number, file: string) => {
  const names = Array.from({ length: count - 1 }, (_, index) => `${small.name}-${index + 2}`)
  const left = names.values()
  // They share one iterator, so each takes the next name that nobody has taken.
  const registering = Array.from({ length: uploadsAtOnce }, async () => {
    for (const name of left) await upload(server.port, name, file)
  })
  await Promise.all(registering)
  return [small.name, ...names] as const
}

/** Loads all of `names`, so that no measurement begins with a load. */
const loadAll = async (server: RunningServer, names: ReadonlyArray<string>) => {
  for (const name of names) {
    const { ok, status } = await server.fetch(predictRequest({ ...small, name }, "json"))
    if (!ok) throw new Error(`${server.name} does not serve ${name} (${status})`)
  }
}

const overModels = (
  one: RunningServer,
  many: RunningServer,
  names: readonly [string, ...ReadonlyArray<string>],
  connections: number,
): Comparison => {
  const [first, ...others] = names
  const some = [first, ...others.slice(0, spread - 1)] as const
  return {
    title: `${small.name} on ${one.name}, ${plural(connections, "connection")}, by the number of registered models`,
    loads: [
      { name: "1 model", server: one, connections, models: [first] },
      { name: `${names.length} models, requests for 1`, server: many, connections, models: [first] },
      {
        name: `${names.length} models, requests for any of ${some.length}`,
        server: many,
        connections,
        models: some,
      },
    ],
    baseline: 0,
    against: "1 model",
  }
}

export const measureScale: Suite = async (bench) => {
  const { plan, workspace, progress } = bench
  await using stack = new AsyncDisposableStack()
  const load = stack.use(await LoadGenerator.start(cores.load))
  const start = async (contender: Contender) => {
    progress(`scale: starting ${contender.name}`)
    return stack.use(await RunningServer.start(contender, small, workspace, { core: cores.server }))
  }
  const inline = await start(forgeInline)
  const one = await start(forgeProcess)
  const many = await start(forgeProcess)
  progress(`scale: registering ${plan.models} models`)
  const names = await registerMore(many, plan.models, await workspace.fileOf(small))
  await loadAll(many, names.slice(0, spread))
  progress("scale")
  const comparisons = [
    ...[inline, one].map(overConnections),
    ...[1, baselineCount].map((connections) => overModels(one, many, names, connections)),
  ]
  return await tablesOf(comparisons, load, bench) // awaited before what it measures is stopped
}
