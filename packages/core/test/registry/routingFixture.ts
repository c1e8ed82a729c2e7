/** A routing table on routes that a test changes. */
import { DateTime, Effect, Layer, Option, Queue, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import { RegistryChanges, type RegistrySignal } from "../../src/events/RegistryChanges.ts"
import { AliasName, ModelName } from "../../src/model/Names.ts"
import type { Traffic } from "../../src/model/TrafficPolicy.ts"
import type { VersionNumber, VersionState } from "../../src/model/Version.ts"
import { RegistryStore, Routes } from "../../src/registry/RegistryStore.ts"
import { RoutingTable } from "../../src/registry/RoutingTable.ts"
import { digestOf, Outage, signature } from "../fakes.ts"

export const digits = ModelName.make("digits")
export const letters = ModelName.make("letters")

export interface Draft {
  readonly versions: Readonly<Record<number, VersionState>>
  readonly aliases?: Readonly<Record<string, number>>
  readonly reason?: string
  readonly traffic?: Traffic
}

const routes = (model: ModelName, { versions, aliases = {}, reason, traffic }: Draft) =>
  Routes.make({
    model,
    config: { runLimitMs: 5 },
    traffic: traffic ?? null,
    aliases: Object.fromEntries(
      Object.entries(aliases).map(([alias, version]) => [AliasName.make(alias), version as VersionNumber]),
    ),
    versions: Object.entries(versions)
      .map(([version, state]) => ({
        version: Number(version) as VersionNumber,
        digest: digestOf(`${model} ${version}`),
        size: 100,
        state,
        reason: state === "invalid" ? (reason ?? "broken") : null,
        signature,
      }))
      .reverse(),
  })

/** Everything that can go on without time passing has gone on. */
export const settled = TestClock.adjust(0)

/** A table on routes that a test changes. */
export const open = (...drafts: ReadonlyArray<[ModelName, Draft]>) => openAfter("Connected", ...drafts)

export const openAfter = Effect.fnUntraced(function* (
  firstSignal: "Connected" | "Disconnected",
  ...drafts: ReadonlyArray<[ModelName, Draft]>
) {
  const outage = new Outage()
  const stored = new Map<ModelName, Routes>(drafts.map(([model, draft]) => [model, routes(model, draft)]))
  const reads = {
    all: 0,
    find: (model: ModelName) => Effect.succeed(Option.fromUndefinedOr(stored.get(model))),
  }
  const signals = yield* Queue.unbounded<RegistrySignal>()
  Queue.offerUnsafe(signals, { _tag: firstSignal })
  const layerStore = Layer.mock(RegistryStore, {
    listRoutes: outage.over(
      "listRoutes",
      Effect.sync(() => {
        reads.all++
        return [...stored.values()]
      }),
    ),
    findRoutes: (model) =>
      outage.over(
        "findRoutes",
        Effect.suspend(() => reads.find(model)),
      ),
  })
  const layerChanges = Layer.succeed(RegistryChanges, { signals: Stream.fromQueue(signals) })
  const table = yield* Effect.provideContext(
    RoutingTable,
    yield* Layer.build(Layer.fresh(RoutingTable.layer).pipe(Layer.provide([layerStore, layerChanges]))),
  )
  /** Sends a signal, and waits until the table has followed all. */
  const hear = (signal: RegistrySignal) => Effect.andThen(Queue.offer(signals, signal), settled)

  const resolve = (model: string, version?: string) =>
    Result.match(table.resolve(model, version), {
      onFailure: ({ message }) => message,
      onSuccess: (route) => Number(route.version),
    })
  const change = (model: ModelName, draft: Draft) => stored.set(model, routes(model, draft))
  return { outage, stored, reads, table, resolve, change, hear }
})

/** A policy in force, its entries as number or alias and weight. */
export const split = (
  entries: ReadonlyArray<readonly [number | string, number]>,
  more: Partial<Traffic> = {},
): Traffic => ({
  split: entries.map(([version, weight]) => ({
    version: typeof version === "number" ? (version as VersionNumber) : AliasName.make(version),
    weight,
  })),
  revision: 1,
  updatedAt: DateTime.makeUnsafe(0),
  updatedBy: null,
  ...more,
})
