/**
 * How long a trivial request waits while a heavy model is saturated: what a run or a large body blocks. An idle server
 * beside it is asked at the same time, for on busy cores its answers wait too.
 */
import { contenders, RunningServer } from "../contenders.ts"
import { LoadGenerator } from "../LoadGenerator.ts"
import { image } from "../models/BenchModel.ts"
import { Refuser } from "../Refuser.ts"
import type { Table } from "../report.ts"
import { healthRequest, type Protocol, predictRequest, wireBytes } from "../requests.ts"
import { ascending, median, percentile } from "../statistics.ts"
import type { Bench, Suite } from "./Suite.ts"

const connections = 8
const everyMs = 20
/** More than come due in any measurement: the slowest answers are those to look at. */
const beat = { everyMs, maxConnections: 1000 }
const protocols: ReadonlyArray<Protocol> = ["binary", "json"]

interface Observed {
  readonly server: RunningServer
  /** Of `GET /healthz`, over all rounds: the p99 of one round would be a handful of samples. */
  readonly waits: Array<number>
  /** Of the idle server meanwhile. */
  readonly idleWaits: Array<number>
  readonly rates: Array<number>
}

interface Generators {
  readonly load: LoadGenerator
  readonly probe: LoadGenerator
  readonly idleProbe: LoadGenerator
}

const observe = async (
  servers: ReadonlyArray<RunningServer>,
  idlePort: number,
  protocol: Protocol,
  { load, probe, idleProbe }: Generators,
  { plan }: Bench,
): Promise<Table> => {
  const sent = predictRequest(image, protocol)
  const request = wireBytes(sent)
  const observed: Array<Observed> = []
  const notes: Array<string> = []
  for (const server of servers) {
    const { ok, status } = await server.fetch(sent)
    if (ok) observed.push({ server, waits: [], idleWaits: [], rates: [] })
    else notes.push(`${server.name}: does not take this request (${status})`)
  }
  const seconds = plan.loopSeconds
  for (let round = 0; round < Math.ceil(plan.rounds / 3); round++)
    for (const { server, waits, idleWaits, rates } of observed) {
      const { port } = server
      const beating = { requests: [healthRequest] as const, connections: 1, seconds, beat }
      const [saturating, probing, idling] = await Promise.all([
        load.run({ port, requests: [request], connections, seconds }),
        probe.run({ ...beating, port }),
        idleProbe.run({ ...beating, port: idlePort }),
      ])
      rates.push(saturating.answered / saturating.seconds)
      waits.push(...probing.latencies)
      idleWaits.push(...idling.refusedLatencies)
    }
  const baseline = percentile(ascending(observed[0]?.waits ?? []), 0.99)
  const rows = observed.map(({ server, waits, idleWaits, rates }) => {
    const sorted = ascending(waits)
    const p99 = percentile(sorted, 0.99)
    return {
      "": server.name,
      "p99 × raw": p99 / baseline,
      "p50 ms": percentile(sorted, 0.5),
      "p99 ms": p99,
      "max ms": sorted.at(-1),
      "idle server p99 ms": percentile(ascending(idleWaits), 0.99),
      samples: String(sorted.length),
      "predictions × raw": median(
        rates.map((rate, round) => rate / (observed[0]?.rates[round] ?? Number.NaN)),
      ),
    }
  })
  return {
    title: `GET /healthz every ${everyMs} ms while ${image.name} is saturated, ${protocol} of ${sent.body.length} bytes, ${connections} connections`,
    rows,
    notes,
  }
}

export const measureEventLoop: Suite = async (bench) => {
  await using stack = new AsyncDisposableStack()
  const generators = {
    load: stack.use(await LoadGenerator.start()),
    probe: stack.use(await LoadGenerator.start()),
    idleProbe: stack.use(await LoadGenerator.start()),
  }
  const idle = stack.use(await Refuser.start())
  const servers: Array<RunningServer> = []
  for (const contender of contenders) {
    bench.progress(`event loop: starting ${contender.name}`)
    servers.push(stack.use(await RunningServer.start(contender, image, bench.workspace)))
  }
  const tables: Array<Table> = []
  for (const protocol of protocols) {
    bench.progress(`event loop, ${protocol}`)
    tables.push(await observe(servers, idle.port, protocol, generators, bench))
  }
  return tables
}
