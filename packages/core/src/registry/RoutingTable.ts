/**
 * Which version answers a request, known without asking the store. Held whole in memory, and read again when somebody
 * changed the registry: at once by whoever changes it here, by announcement when another process did.
 */
import {
  Context,
  DateTime,
  Deferred,
  Effect,
  Equal,
  Exit,
  Layer,
  Option,
  Random,
  Result,
  Semaphore,
  Stream,
} from "effect"
import { RegistryChanges, type RegistrySignal } from "../events/RegistryChanges.ts"
import { InferenceError } from "../inference/InferenceError.ts"
import type { ModelName } from "../model/Names.ts"
import type { TrafficPolicy } from "../model/TrafficPolicy.ts"
import { type Handover, handover, type Presence } from "./handover.ts"
import { ModelNotFound, type RegistryError, VersionNotFound } from "./RegistryError.ts"
import { RegistryStore, type Routes } from "./RegistryStore.ts"
import type { Route } from "./Route.ts"
import {
  type Resolved,
  type RoutedModel,
  type Ruled,
  routedModel,
  type Shadow,
  splitOf,
} from "./RoutedModel.ts"
import { untilItWorks } from "./untilItWorks.ts"

/** All that can take requests, as of one moment. */
export interface Routed {
  /** By `Route.id`. */
  readonly routes: ReadonlyMap<string, Route>
  /** Ids of those that an alias or a traffic policy points at. */
  readonly aliased: ReadonlySet<string>
}

/** What has changed of a model: `before` is undefined for one that was not known. */
interface Change {
  readonly before: RoutedModel | undefined
  readonly after: RoutedModel
}

/** Catches what no announcement brought, for instance through a pooler that does not pass them on. */
const rereadInterval = "30 seconds"

/** Longer loads go on, but whoever changed the routes is not kept waiting for them. */
const handoverPatience = "30 seconds"

/** Of more models at once, all are read in one query. */
const fewModels = 20

const logUnread = (error: RegistryError) =>
  Effect.logWarning("The routes could not be read; those known stay, and are read again later", error)

export class RoutingTable extends Context.Service<
  RoutingTable,
  {
    /**
     * The version that answers for `version`, a number or an alias; without it one of the split if there is one, else
     * the alias `production`, else the highest ready version. Of a split, the same for the same sticky key, and any by
     * weight without. Fails with `ModelNotFound`, `VersionNotFound` or `VersionUnavailable`.
     */
    readonly resolve: (
      model: string,
      version?: string,
      stickyKey?: string,
    ) => Result.Result<Route, InferenceError>
    /** The request header that callers of the model are told by, in lower case; undefined when there is none. */
    readonly stickyHeader: (model: string) => string | undefined
    /** The route as it is by now; undefined when its version takes no requests any more. */
    readonly renew: (route: Route) => Route | undefined
    /** The policy by which versions are watched, and what its aliases point at; undefined where there is no rule. */
    readonly ruled: (model: string) => Ruled | undefined
    /** The versions that shadow the model; undefined where there are none. */
    readonly shadows: (model: string) => ReadonlyArray<Shadow> | undefined
    /** Routes by another policy at once, until the store has another than that of the revision. */
    readonly anticipate: (model: ModelName, revision: number, policy: TrafficPolicy) => void
    /** Names of all models, ascending. */
    readonly models: () => ReadonlyArray<ModelName>
    /** The versions of `model` that are ready, ascending; undefined for an unknown model. */
    readonly readyVersions: (model: string) => ReadonlyArray<Route> | undefined
    /**
     * Reads one model's routes again. When that fails the old routes stay, and it is tried again in the background
     * until it works.
     */
    readonly refresh: (model: ModelName) => Effect.Effect<void, RegistryError>
    /**
     * A change of a model, and its routes as they are after it, with what they point at loaded; for that it waits 30
     * seconds at most. It has happened, even if they can't be read just now, and even if whoever asked for it is
     * interrupted meanwhile.
     */
    readonly thenRefresh: <A>(
      model: ModelName,
      change: Effect.Effect<A, RegistryError>,
    ) => Effect.Effect<A, RegistryError>
    /**
     * Since when the registry has been out of reach; none while it is not. What was known then is routed to all the
     * same, and changes that others made are not known.
     */
    readonly outOfReachSince: () => Option.Option<DateTime.Utc>
    /** Calls back at once and after every change. */
    readonly onChange: (listener: (routed: Routed) => void) => Effect.Effect<void>
    /**
     * Asks from now on what is in memory, after listeners have heard of a change: where aliases and the traffic policy
     * moved to versions that are being loaded, requests go where they went until the loads have ended.
     */
    readonly handOverBy: (presence: Presence) => Effect.Effect<void>
  }
>()("@modelforge/core/registry/RoutingTable") {
  static readonly make = Effect.gen(function* () {
    const store = yield* RegistryStore
    const { signals } = yield* RegistryChanges
    const random = yield* Random.Random
    const table = new Map<string, RoutedModel>()
    const anticipated = new Map<string, { readonly revision: number; readonly policy: TrafficPolicy }>()
    const listeners: Array<(routed: Routed) => void> = []
    /** By model; what is in the table of these is their `meanwhile`. */
    const handovers = new Map<string, Handover & { readonly ended: Promise<unknown> }>()
    let presence: Presence = { serves: () => false, loading: () => undefined }
    // Two reads at once could leave the older answer in place.
    const oneAtATime = yield* Semaphore.make(1)
    const scope = yield* Effect.scope
    // Since when reads fail, and since when nothing is heard of changes.
    const trouble: { reads: DateTime.Utc | undefined; signals: DateTime.Utc | undefined } = {
      reads: undefined,
      signals: undefined,
    }

    const routed = (): Routed => {
      const models = [...table.values()]
      return {
        routes: new Map(models.flatMap(({ ready }) => ready.map((route) => [route.id, route] as const))),
        aliased: new Set(
          models.flatMap((model) => [...(handovers.get(model.model)?.after ?? model).aliased]),
        ),
      }
    }

    const announce = () => {
      const now = routed()
      for (const listener of listeners) listener(now)
    }

    const begin = (found: Handover) => {
      const { after, loads, meanwhile } = found
      const { model } = after
      const ended = Promise.allSettled(loads).then(() => {
        if (handovers.get(model)?.after !== after) return
        handovers.delete(model)
        table.set(model, after)
        announce()
      })
      handovers.set(model, { ...found, ended })
      table.set(model, meanwhile)
    }

    /** Undefined when they are known: then their routes stay the objects that others hold. */
    const put = (routes: Routes): Change | undefined => {
      const { model } = routes
      const before = table.get(model)
      const known = handovers.get(model)?.after ?? before
      if (known !== undefined && Equal.equals(known.routes, routes)) return undefined
      const ahead = anticipated.get(model)
      const isAhead = ahead !== undefined && ahead.revision === routes.traffic?.revision
      if (!isAhead) anticipated.delete(model)
      const after = routedModel(routes, isAhead ? ahead.policy : routes.traffic)
      handovers.delete(model)
      table.set(model, after)
      return { before, after }
    }

    /** Listeners begin to load what is new to them; then it is known what has to be waited for. */
    const announceAll = (changes: ReadonlyArray<Change>) => {
      announce()
      for (const { before, after } of changes) {
        const found = before && handover(before, after, presence)
        if (found !== undefined) begin(found)
      }
    }

    const drop = (model: string): boolean => {
      anticipated.delete(model)
      handovers.delete(model)
      return table.delete(model)
    }

    const since = (which: keyof typeof trouble) =>
      Effect.map(DateTime.now, (now) => {
        trouble[which] ??= now
      })

    const guarded = <A>(read: Effect.Effect<A, RegistryError>) =>
      read.pipe(
        Effect.tap(() =>
          Effect.sync(() => {
            trouble.reads = undefined
          }),
        ),
        Effect.tapError(() => since("reads")),
        oneAtATime.withPermits(1),
      )

    const read = (model: ModelName) =>
      guarded(
        Effect.map(store.findRoutes(model), (found) => {
          const change = Option.isSome(found) ? put(found.value) : undefined
          if (change !== undefined) announceAll([change])
          else if (Option.isNone(found) && drop(model)) announce()
        }),
      )

    const readAll = guarded(
      Effect.map(store.listRoutes, (all) => {
        trouble.signals = undefined
        const names = new Set(all.map(({ model }) => model))
        const gone = [...table.values()].filter(({ model }) => !names.has(model))
        for (const { model } of gone) drop(model)
        const changes = all.flatMap((routes) => put(routes) ?? [])
        if (gone.length + changes.length > 0) announceAll(changes)
      }),
    )

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

    /** Never fails: what can't be read now is read again by the timer, or at the next signal. */
    const follow = (signal: RegistrySignal) => {
      switch (signal._tag) {
        case "Connected":
          return Effect.exit(Effect.tapError(readAll, logUnread))
        case "Changed":
          return Effect.exit(
            signal.models.length > fewModels
              ? Effect.tapError(readAll, logUnread)
              : Effect.forEach(signal.models, refresh, { discard: true }),
          )
        case "Disconnected":
          return Effect.as(since("signals"), Exit.void)
      }
    }

    const first = yield* Deferred.make<void, RegistryError>()
    yield* signals.pipe(
      Stream.runForEach((signal) => Effect.flatMap(follow(signal), (exit) => Deferred.done(first, exit))),
      Effect.forkScoped,
    )
    // Listened to first and read then, so that no change falls in between.
    yield* Deferred.await(first)
    // Nobody is listened to: what is known then is read, and heard of later.
    if (trouble.signals !== undefined) yield* readAll
    yield* readAll.pipe(
      Effect.tapError(logUnread),
      Effect.ignore,
      Effect.delay(rereadInterval),
      Effect.forever,
      Effect.forkScoped,
    )

    const unversioned = ({ split, fallback }: RoutedModel, stickyKey: string | undefined): Resolved => {
      if (split === undefined) return fallback
      return stickyKey === undefined ? split.at(random.nextDoubleUnsafe()) : split.of(stickyKey)
    }

    const resolve = (model: string, version?: string, stickyKey?: string): Resolved => {
      const routed = table.get(model)
      if (routed === undefined)
        return Result.fail(new InferenceError({ reason: new ModelNotFound({ model }) }))
      if (version === undefined) return unversioned(routed, stickyKey)
      const route = routed.byRef.get(version)
      if (route !== undefined) return Result.succeed(route)
      const why = routed.unavailable.get(version)
      return Result.fail(new InferenceError({ reason: why ?? new VersionNotFound({ model, version }) }))
    }

    const renew = (route: Route): Route | undefined => {
      const now = table.get(route.model)?.byRef.get(String(route.version))
      return now?.id === route.id ? now : undefined
    }

    return RoutingTable.of({
      resolve,
      stickyHeader: (model) => table.get(model)?.stickyHeader,
      renew,
      ruled: (model) => table.get(model)?.ruled,
      shadows: (model) => table.get(model)?.shadows,
      anticipate: (model, revision, policy) => {
        const known = table.get(model)
        if (known === undefined || known.routes.traffic?.revision !== revision) return
        anticipated.set(model, { revision, policy })
        table.set(model, { ...known, split: splitOf(known.routes, policy, known.byRef) })
      },
      models: () => Array.from(table.values(), ({ model }) => model).sort(),
      readyVersions: (model) => table.get(model)?.ready,
      refresh,
      thenRefresh: (model, change) =>
        Effect.uninterruptible(Effect.tap(change, () => Effect.ignore(refresh(model)))).pipe(
          Effect.tap(() =>
            Effect.timeoutOption(
              Effect.promise(async () => handovers.get(model)?.ended),
              handoverPatience,
            ),
          ),
        ),
      outOfReachSince: () => {
        const { reads, signals } = trouble
        return Option.fromUndefinedOr(reads && signals ? DateTime.min(reads, signals) : (reads ?? signals))
      },
      onChange: (listener) =>
        Effect.sync(() => {
          listeners.push(listener)
          listener(routed())
        }),
      handOverBy: (known) =>
        Effect.sync(() => {
          presence = known
        }),
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
