/**
 * What each version was asked and what it ran, counted from the start of this process. Plain numbers without a clock of
 * their own: every prediction counts here, and who measures anyway says how long it took.
 */
import { Context, Effect, Layer } from "effect"
import type { Route } from "../registry/Route.ts"
import { RoutingTable } from "../registry/RoutingTable.ts"

/** How often something happened, and how long it took in all. */
export interface Timed {
  count: number
  /** Milliseconds. */
  ms: number
}

const timed = (): Timed => ({ count: 0, ms: 0 })

const add = (timed: Timed, ms: number): void => {
  timed.count++
  timed.ms += ms
}

/** Runs of one size. */
export interface BatchStatistics {
  /** The runs themselves. */
  readonly compute: Timed
  /** From the end of a run until its outputs were here. */
  readonly output: Timed
}

/** Up to this, each size is counted by itself. Clients choose how many rows they send; the counters stay few. */
const exactSizes = 256

/** Sizes beyond are counted with the power of two below them. */
const sizeCounted = (rows: number): number => (rows <= exactSizes ? rows : 2 ** Math.floor(Math.log2(rows)))

export class VersionStatistics {
  /** When a run ended last, in milliseconds since the epoch; 0 before the first. */
  lastInference = 0
  /** Rows of all runs; a request without a first dimension is one. */
  inferences = 0
  /** Runs; requests that were joined share one. */
  executions = 0
  /** Requests that were answered, from their arrival. Their waiting, computing and output times add up to it. */
  readonly success = timed()
  /** Requests that fitted the signature and failed. Not those whose callers left. */
  readonly fail = timed()
  /** Of the requests answered: waiting for the model and for a runner, the way of the inputs to it included. */
  readonly queue = timed()
  /** Of the requests answered: the run they were part of. */
  readonly compute = timed()
  /** Of the requests answered: from the end of the run. */
  readonly output = timed()
  readonly #batches = new Map<number, BatchStatistics>()

  /** A request was answered. */
  answered(totalMs: number, queueMs: number, computeMs: number): void {
    add(this.success, totalMs)
    add(this.queue, queueMs)
    add(this.compute, computeMs)
    add(this.output, Math.max(0, totalMs - queueMs - computeMs))
  }

  /** A request failed. */
  failed(totalMs: number): void {
    add(this.fail, totalMs)
  }

  /** A run of so many rows gave its outputs. */
  executed(rows: number, computeMs: number, outputMs: number): void {
    this.lastInference = Date.now()
    this.inferences += rows
    this.executions++
    const size = sizeCounted(rows)
    let batch = this.#batches.get(size)
    if (batch === undefined) {
      batch = { compute: timed(), output: timed() }
      this.#batches.set(size, batch)
    }
    add(batch.compute, computeMs)
    add(batch.output, Math.max(0, outputMs))
  }

  /** By rows of a run, ascending. */
  get batches(): ReadonlyArray<readonly [rows: number, statistics: BatchStatistics]> {
    return [...this.#batches].sort(([a], [b]) => a - b)
  }
}

export class ModelStatistics extends Context.Service<
  ModelStatistics,
  {
    /**
     * Where the version of a route is counted. Kept while the version can be asked, unloaded or not; one that was
     * deleted or archived, and comes back, begins anew.
     */
    readonly of: (route: Pick<Route, "id">) => VersionStatistics
  }
>()("@modelforge/core/inference/ModelStatistics") {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const routing = yield* RoutingTable
      const versions = new Map<string, VersionStatistics>()
      yield* routing.onChange(({ routes }) => {
        for (const id of versions.keys()) if (!routes.has(id)) versions.delete(id)
      })
      return {
        of: ({ id }) => {
          const known = versions.get(id)
          if (known !== undefined) return known
          const made = new VersionStatistics()
          versions.set(id, made)
          return made
        },
      }
    }),
  )
}
