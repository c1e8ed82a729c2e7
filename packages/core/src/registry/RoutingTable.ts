/**
 * Which version answers a request, known without asking the store. Held whole in memory and refreshed by whoever
 * changes the registry.
 */
import { Context, Effect, Layer, Option, Result, Semaphore } from "effect"
import { InferenceError, VersionUnavailable } from "../inference/InferenceError.ts"
import { type ModelName, productionAlias } from "../model/Names.ts"
import type { Signature } from "../model/Signature.ts"
import type { Digest, VersionNumber } from "../model/Version.ts"
import { ModelNotFound, type RegistryError, VersionNotFound } from "./RegistryError.ts"
import { RegistryStore, type Routes } from "./RegistryStore.ts"
import { untilItWorks } from "./untilItWorks.ts"

/** A version that can take a request. */
export interface Route {
  readonly model: ModelName
  readonly version: VersionNumber
  readonly digest: Digest
  readonly signature: Signature
  /** Names of all outputs, in the signature's order: one array, so that equal requests are told by it. */
  readonly outputNames: ReadonlyArray<string>
}

/** The routes of one model in the shape lookups want. */
interface RoutedModel {
  readonly model: ModelName
  readonly byRef: ReadonlyMap<string, Route>
  /** Why a version that exists can't answer, by number and alias. */
  readonly unavailable: ReadonlyMap<string, VersionUnavailable>
  /** Where requests without a version go: `production`, else the highest ready version. */
  readonly fallback: Route | undefined
  /** Numbers of the versions that are ready, ascending. */
  readonly ready: ReadonlyArray<VersionNumber>
}

const index = (routes: Routes): RoutedModel => {
  const byRef = new Map<string, Route>()
  const unavailable = new Map<string, VersionUnavailable>()
  const ready = routes.versions
    .filter((version) => version.state === "ready")
    .sort((a, b) => a.version - b.version)
  for (const { version, digest, signature } of ready)
    byRef.set(String(version), {
      model: routes.model,
      version,
      digest,
      signature,
      outputNames: signature.outputs.map(({ name }) => name),
    })
  for (const { version, state, reason } of routes.versions)
    if (state !== "ready")
      unavailable.set(
        String(version),
        new VersionUnavailable({ model: routes.model, version, state, detail: reason }),
      )
  for (const [alias, version] of Object.entries(routes.aliases)) {
    const route = byRef.get(String(version))
    if (route !== undefined) byRef.set(alias, route)
    const why = unavailable.get(String(version))
    if (why !== undefined) unavailable.set(alias, why)
  }
  const highest = ready.at(-1)
  return {
    model: routes.model,
    byRef,
    unavailable,
    fallback: byRef.get(productionAlias) ?? (highest && byRef.get(String(highest.version))),
    ready: ready.map(({ version }) => version),
  }
}

export class RoutingTable extends Context.Service<
  RoutingTable,
  {
    /**
     * The version that answers for `version`, a number or an alias; without it the alias `production`, else the
     * highest ready version. Fails with `ModelNotFound`, `VersionNotFound` or `VersionUnavailable`.
     */
    readonly resolve: (model: string, version?: string) => Result.Result<Route, InferenceError>
    /** Names of all models, ascending. */
    readonly models: () => ReadonlyArray<ModelName>
    /** Numbers of the versions of `model` that are ready, ascending; undefined for an unknown model. */
    readonly readyVersions: (model: string) => ReadonlyArray<VersionNumber> | undefined
    /**
     * Reads one model's routes again. When that fails the old routes stay, and it is tried again in the background
     * until it works.
     */
    readonly refresh: (model: ModelName) => Effect.Effect<void, RegistryError>
    /** Calls back with the digests that are routed to, after every change. */
    readonly onChange: (listener: (routed: ReadonlySet<Digest>) => void) => Effect.Effect<void>
  }
>()("@modelforge/core/registry/RoutingTable") {
  static readonly make = Effect.gen(function* () {
    const store = yield* RegistryStore
    const table = new Map<string, RoutedModel>()
    const listeners: Array<(routed: ReadonlySet<Digest>) => void> = []
    // Two refreshes at once could leave the older answer in place.
    const oneAtATime = yield* Semaphore.make(1)
    const scope = yield* Effect.scope

    for (const routes of yield* store.listRoutes) table.set(routes.model, index(routes))

    const announce = () => {
      const routed = new Set<Digest>()
      for (const { byRef } of table.values()) for (const route of byRef.values()) routed.add(route.digest)
      for (const listener of listeners) listener(routed)
    }

    const read = Effect.fnUntraced(function* (model: ModelName) {
      const found = yield* store.findRoutes(model)
      if (Option.isSome(found)) table.set(model, index(found.value))
      else table.delete(model)
      announce()
    }, oneAtATime.withPermits(1))

    const catchUp = (model: ModelName) =>
      read(model).pipe(Effect.retry(untilItWorks), Effect.delay("1 second"), Effect.forkIn(scope))

    const refresh = Effect.fn("RoutingTable.refresh")((model: ModelName) =>
      read(model).pipe(
        Effect.tapError((error) =>
          Effect.andThen(
            Effect.logWarning("The routes of a model could not be read and are read again", error),
            catchUp(model),
          ),
        ),
      ),
    )

    const resolve = (model: string, version?: string): Result.Result<Route, InferenceError> => {
      const routed = table.get(model)
      if (routed === undefined)
        return Result.fail(new InferenceError({ reason: new ModelNotFound({ model }) }))
      const route = version === undefined ? routed.fallback : routed.byRef.get(version)
      if (route !== undefined) return Result.succeed(route)
      const why = version === undefined ? undefined : routed.unavailable.get(version)
      return Result.fail(
        new InferenceError({
          reason: why ?? new VersionNotFound({ model, version: version ?? null }),
        }),
      )
    }

    return RoutingTable.of({
      resolve,
      models: () => Array.from(table.values(), ({ model }) => model).sort(),
      readyVersions: (model) => table.get(model)?.ready,
      refresh,
      onChange: (listener) => Effect.sync(() => void listeners.push(listener)),
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
