/** What was counted of each version, as Triton's statistics extension tells it. */
import {
  type Identity,
  LoadedModels,
  ModelStatistics,
  mayUse,
  type Route,
  RoutingTable,
  type Timed,
} from "@modelforge/core"
import { Effect } from "effect"

const duration = ({ count, ms }: Timed) => ({ count, ns: Math.round(ms * 1e6) })

/** Inputs go to the runner while a request counts as waiting: nothing is left to tell apart. */
const noTime = (count: number) => ({ count, ns: 0 })

const nothing = noTime(0)

/** The statistics of versions, each by its route. */
export const makeStatistics = Effect.gen(function* () {
  const routing = yield* RoutingTable
  const loaded = yield* LoadedModels
  const statistics = yield* ModelStatistics

  const ofVersion = (route: Route) => {
    const { lastInference, inferences, executions, batches, ...counted } = statistics.of(route)
    const { success, fail, queue, compute, output } = counted
    const memoryBytes = loaded.memoryBytes(route.id)
    return {
      name: route.model,
      version: String(route.version),
      last_inference: lastInference,
      inference_count: inferences,
      execution_count: executions,
      inference_stats: {
        success: duration(success),
        fail: duration(fail),
        queue: duration(queue),
        compute_input: noTime(success.count),
        compute_infer: duration(compute),
        compute_output: duration(output),
        cache_hit: nothing,
        cache_miss: nothing,
      },
      response_stats: {},
      batch_stats: batches.map(([batch_size, { compute, output }]) => ({
        batch_size,
        compute_input: noTime(compute.count),
        compute_infer: duration(compute),
        compute_output: duration(output),
      })),
      memory_usage: memoryBytes === undefined ? [] : [{ type: "CPU", id: 0, byte_size: memoryBytes }],
    }
  }

  return {
    ofRoutes: (routes: ReadonlyArray<Route>) => ({ model_stats: routes.map(ofVersion) }),
    /** Of the models that the caller may use. */
    ofAll: (caller: Identity) => ({
      model_stats: routing
        .models()
        .filter((model) => mayUse(caller, model))
        .flatMap((model) => (routing.readyVersions(model) ?? []).map(ofVersion)),
    }),
  }
})
