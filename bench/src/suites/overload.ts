/**
 * What a server does with ten times what it can do: serve as much as ever, and send the rest away quickly. Where load
 * and refusals take of the same processors as the runs, the same is measured with what is too much sent to a bare Node
 * server that refuses everything: what that takes away, no server can serve.
 */
import { forgeProcess, RunningServer } from "../contenders.ts"
import { busyNotes, LoadGenerator } from "../LoadGenerator.ts"
import type { LoadJob, LoadResult } from "../load/LoadJob.ts"
import { type BenchModel, image, text } from "../models/BenchModel.ts"
import { Refuser } from "../Refuser.ts"
import type { Table } from "../report.ts"
import { type Protocol, predictRequest, wireBytes } from "../requests.ts"
import { percentile } from "../statistics.ts"
import type { Bench, Suite } from "./Suite.ts"

/** Requests of the model that may be under way. As many connections find out what the server can do at best. */
const maxDepth = 64
const times = 10
const contender = { ...forgeProcess, config: { queue: { maxDepth } } }

interface Kind {
  readonly model: BenchModel
  readonly protocol: Protocol
  /** Where the server runs, and where the load. Default: both on all cores. */
  readonly cores?: { readonly server: number; readonly load: number }
}

const kinds: ReadonlyArray<Kind> = [
  { model: text, protocol: "json" },
  // What the load takes is missing to nobody here: the storm costs what the server makes of it.
  { model: text, protocol: "json", cores: { server: 0, load: 1 } },
  { model: image, protocol: "binary" },
]

interface Storm {
  readonly name: string
  /** `capacity` is in requests a second. */
  readonly load: (capacity: number) => Pick<LoadJob, "connections" | "beat">
  /** What of it is too much. */
  readonly excess: (capacity: number) => Pick<LoadJob, "connections" | "beat">
}

/** So many times the capacity, on the beat. */
const onTheBeat = (times: number) => (capacity: number) => ({
  connections: maxDepth,
  beat: { everyMs: 1000 / (times * capacity), maxConnections: times * maxDepth },
})

const storms: ReadonlyArray<Storm> = [
  {
    name: `${times} × capacity, on the beat`,
    load: onTheBeat(times),
    excess: onTheBeat(times - 1),
  },
  {
    name: `${times * maxDepth} connections, again at once`,
    load: () => ({ connections: times * maxDepth }),
    excess: () => ({ connections: (times - 1) * maxDepth }),
  },
]

/** Answered by an idle server one after the other; their median is what the first one after a storm is held against. */
const idleRequests = 20
const idleLimitSeconds = 60

interface Endured {
  readonly name: string
  readonly capacity: number
  readonly storm: LoadResult
  /** What is served while the excess is refused elsewhere, in requests a second. */
  readonly apart: number
  /** One request after the other, before. */
  readonly idle: LoadResult
  /** The first request after. */
  readonly first: LoadResult
}

const row = ({ name, capacity, storm, apart, idle, first }: Endured) => {
  const sent = storm.answered + storm.refused + storm.lost
  const rate = (count: number) => count / storm.seconds / capacity
  return {
    "": name,
    "sent ÷ capacity": rate(sent),
    "served ÷ capacity": rate(storm.answered),
    "excess elsewhere": apart / capacity,
    "served ÷ that": storm.answered / storm.seconds / apart,
    refused: String(storm.refused),
    "refused %": (100 * storm.refused) / sent,
    "refused p50 ms": percentile(storm.refusedLatencies, 0.5),
    "refused p99 ms": percentile(storm.refusedLatencies, 0.99),
    "served p99 ms": percentile(storm.latencies, 0.99),
    "idle ms": percentile(idle.latencies, 0.5),
    "first after ms": first.latencies[0],
  }
}

const notesOf = ({ name, capacity, storm, first }: Endured): ReadonlyArray<string> => {
  const { improper, lost, missed, busy } = storm
  const notes = [
    `${name}: capacity ${Math.round(capacity)}/s; refusals that were not 503 with Retry-After: ${improper}`,
  ]
  if (lost > 0) notes.push(`${name}: ${lost} requests lost their connection without an answer`)
  if (missed > 0) notes.push(`${name}: ${missed} requests were not sent, as all connections waited`)
  if (first.answered !== 1) notes.push(`${name}: the first request after it was refused too`)
  return [...notes, ...busyNotes(name, busy)]
}

/** Storms on a server that takes `request`, from `core` if it is given. */
export const endure = async (
  server: Pick<RunningServer, "port">,
  request: Uint8Array,
  { plan, progress }: Pick<Bench, "plan" | "progress">,
  core?: number,
): Promise<Pick<Table, "rows" | "notes">> => {
  await using load = await LoadGenerator.start(core)
  await using otherLoad = await LoadGenerator.start(core)
  await using refuser = await Refuser.start(core)
  const target = { port: server.port, requests: [request] as const }
  const oneByOne = (maxRequests: number) =>
    load.run({ ...target, connections: 1, seconds: idleLimitSeconds, maxRequests })
  const saturate = () => load.run({ ...target, connections: maxDepth, seconds: plan.capacitySeconds })
  await saturate() // warm
  const endured: Array<Endured> = []
  for (const { name, load: loadOf, excess } of storms) {
    progress(`overload: ${name}`)
    const idle = await oneByOne(idleRequests)
    const saturated = await saturate()
    const capacity = saturated.answered / saturated.seconds
    const storm = await load.run({
      ...target,
      ...loadOf(capacity),
      seconds: plan.overloadSeconds,
      mayLose: true,
    })
    const first = await oneByOne(1)
    progress(`overload: ${name}, the excess elsewhere`)
    const seconds = plan.overloadSeconds
    const [served] = await Promise.all([
      load.run({ ...target, connections: maxDepth, seconds }),
      otherLoad.run({ ...target, port: refuser.port, ...excess(capacity), seconds, mayLose: true }),
    ])
    endured.push({ name, capacity, storm, apart: served.answered / served.seconds, idle, first })
  }
  return { rows: endured.map(row), notes: endured.flatMap(notesOf) }
}

export const measureOverload: Suite = async (bench) => {
  const tables: Array<Table> = []
  for (const { model, protocol, cores } of kinds) {
    bench.progress(`overload: starting ${contender.name} with ${model.name}`)
    await using server = await RunningServer.start(contender, model, bench.workspace, { core: cores?.server })
    const sent = predictRequest(model, protocol)
    const where = cores === undefined ? "" : ", server and load on a core each"
    const title = `A storm on ${contender.name} with room for ${maxDepth} requests: ${model.name}, ${protocol} of ${sent.body.length} bytes, ${bench.plan.overloadSeconds} s each${where}`
    const { ok, status } = await server.fetch(sent)
    const refusal = `${server.name}: does not take this request (${status}), so nothing was measured`
    const measured = ok
      ? await endure(server, wireBytes(sent), bench, cores?.load)
      : { rows: [], notes: [refusal] }
    tables.push({ title, ...measured })
  }
  return tables
}
