/**
 * Runs a share of the requests that were answered again, on versions that shadow. Nobody waits for it, and it takes the
 * last place everywhere: what there is no room for is dropped.
 */
import { Clock, Context, DateTime, Effect, Layer, Random } from "effect"
import type { ShadowReport } from "../model/ShadowReport.ts"
import type { Tensors } from "../model/Tensor.ts"
import type { Route } from "../registry/Route.ts"
import { RoutingTable } from "../registry/RoutingTable.ts"
import { copyTensors, tensorBytes } from "./copyTensors.ts"
import { outputDifference } from "./outputDifference.ts"
import { ShadowRecord } from "./ShadowRecord.ts"

/** Runs of shadows at once, of all models. */
const maxRuns = 4
/** Bytes of the inputs and outputs that are kept for them. */
const maxBytes = 32 * 1024 * 1024
/** Of one request: copying and comparing more would hold up others. */
const maxRequestBytes = 8 * 1024 * 1024
/** Requests that waited so many milliseconds longer than they ran say that there is no capacity to spare. */
const maxWaitMs = 5

/** What a run gave. */
interface Answer {
  readonly outputs: Tensors
  readonly queueMs: number
  readonly computeMs: number
}

export class ShadowTraffic extends Context.Service<
  ShadowTraffic,
  {
    /** Whether versions shadow the model. Plain code: every prediction asks. */
    readonly shadows: (model: string) => boolean
    /**
     * Perhaps runs a request that was answered again on the versions that shadow its model. Its tensors are read before
     * this returns, and not after.
     */
    readonly offer: (
      route: Route,
      inputs: Tensors,
      answer: Answer,
      run: (route: Route, inputs: Tensors, outputs: ReadonlyArray<string>) => Promise<Answer>,
    ) => void
    /** Of each version that shadows the model. */
    readonly reports: (model: string) => ReadonlyArray<ShadowReport>
  }
>()("@modelforge/core/traffic/ShadowTraffic") {
  static readonly make = Effect.gen(function* () {
    const routing = yield* RoutingTable
    const random = yield* Random.Random
    const clock = yield* Clock.Clock
    /** By `Route.id` of the shadow. */
    const records = new Map<string, ShadowRecord>()
    let runs = 0
    let bytes = 0

    const recordOf = ({ id, version }: Route): ShadowRecord => {
      const known = records.get(id)
      if (known !== undefined) return known
      const made = new ShadowRecord(version, DateTime.makeUnsafe(clock.currentTimeMillisUnsafe()))
      records.set(id, made)
      return made
    }

    const compare = async (
      record: ShadowRecord,
      primary: Answer,
      rerun: () => Promise<Answer>,
      reserved: number,
    ) => {
      runs++
      bytes += reserved
      try {
        const answer = await rerun()
        record.compared(
          primary.computeMs,
          answer.computeMs,
          outputDifference(primary.outputs, answer.outputs),
        )
      } catch {
        // Whatever it was, it is the shadow's alone: nobody asked for it.
        record.errors++
      } finally {
        runs--
        bytes -= reserved
      }
    }

    yield* routing.onChange(() => {
      const shadowing = new Set(
        routing.models().flatMap((model) => (routing.shadows(model) ?? []).map(({ route }) => route.id)),
      )
      for (const id of records.keys()) if (!shadowing.has(id)) records.delete(id)
    })

    return ShadowTraffic.of({
      shadows: (model) => routing.shadows(model) !== undefined,
      offer: (answered, inputs, answer, run) => {
        for (const { route, percent } of routing.shadows(answered.model) ?? []) {
          if (route.id === answered.id || random.nextDoubleUnsafe() * 100 >= percent) continue
          const record = recordOf(route)
          const size = tensorBytes(inputs) + tensorBytes(answer.outputs)
          const busy = runs >= maxRuns || answer.queueMs > answer.computeMs + maxWaitMs
          if (busy || size > maxRequestBytes || bytes + size > maxBytes) {
            record.dropped++
            continue
          }
          // Copied: callers of the library own their tensors, and may write to them once they have their answer.
          const copies = copyTensors(inputs)
          const { queueMs, computeMs } = answer
          const primary = { outputs: copyTensors(answer.outputs), queueMs, computeMs }
          const names = route.outputNames.filter((name) => Object.hasOwn(primary.outputs, name))
          void compare(record, primary, () => run(route, copies, names), size)
        }
      },
      reports: (model) => (routing.shadows(model) ?? []).map(({ route }) => recordOf(route).report()),
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
