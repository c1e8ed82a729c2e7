/**
 * Takes a version out of a split when its requests fail, or are slow, beyond what the policy's rule allows. Each server
 * watches what it answers itself; the store sees to it that a version is taken out once.
 */
import { Clock, Context, Effect, Equal, Layer, Queue } from "effect"
import { Actor } from "../events/Actor.ts"
import type { InferenceError } from "../inference/InferenceError.ts"
import type { ModelName } from "../model/Names.ts"
import { policyOf, type RollbackRule, type TrafficPolicy, versionMeant } from "../model/TrafficPolicy.ts"
import type { VersionNumber } from "../model/Version.ts"
import { RegistryStore } from "../registry/RegistryStore.ts"
import type { Route } from "../registry/Route.ts"
import type { Ruled } from "../registry/RoutedModel.ts"
import { RoutingTable } from "../registry/RoutingTable.ts"
import { untilItWorks } from "../registry/untilItWorks.ts"
import { type Counts, SlidingWindow } from "./SlidingWindow.ts"
import { baselineOf, withoutVersion } from "./withoutVersion.ts"

/** In whose name versions are taken out. */
export const rollbackActor = "rollback rule"

/** What is the version's fault: not the caller's mistakes, not overload. */
const faults: ReadonlySet<InferenceError["reason"]["_tag"]> = new Set([
  "RunFailed",
  "RunTimedOut",
  "RunnerLost",
  "LoadFailed",
])

/** A twentieth of the requests may be slower than `latencyMs`: that is, the 95th percentile may not. */
const slowShare = 0.05

/** The versions of one policy that may be taken out. */
interface Watch {
  /** As it was when last looked at. */
  readonly ruled: Ruled
  readonly rule: RollbackRule
  readonly windows: ReadonlyMap<VersionNumber, SlidingWindow>
  /** One was taken out: what comes next is judged by the next policy. */
  isOver: boolean
}

/** A version that broke the rule. */
interface Broken {
  readonly model: ModelName
  readonly revision: number
  readonly policy: TrafficPolicy
  readonly reason: string
}

const percent = (share: number) => `${Math.round(share * 1000) / 10} %`

/** How the counts break the rule, in words; undefined when they keep to it. */
export const breach = (
  { errorRate, minRequests, windowSeconds, latencyMs }: RollbackRule,
  { requests, errors, slow }: Counts,
): string | undefined => {
  if (requests < minRequests) return undefined
  const within = `of ${requests} requests within ${windowSeconds} s`
  if (errors > 0 && errors / requests >= errorRate)
    return `${errors} ${within} failed (${percent(errors / requests)}, the rule is ${percent(errorRate)})`
  if (latencyMs !== undefined && slow / requests > slowShare)
    return `${slow} ${within} ran longer than ${latencyMs} ms (${percent(slow / requests)}, the rule is ${percent(slowShare)})`
  return undefined
}

export class RollbackRules extends Context.Service<
  RollbackRules,
  {
    /** Whether what comes of the model's requests is to be told. Plain code: every prediction asks. */
    readonly watches: (model: ModelName) => boolean
    /** A request was answered by a run of so many milliseconds. */
    readonly answered: (route: Route, computeMs: number) => void
    /** A request failed, by whoever's fault. */
    readonly failed: (route: Route, error: InferenceError) => void
  }
>()("@modelforge/core/traffic/RollbackRules") {
  static readonly make = Effect.gen(function* () {
    const store = yield* RegistryStore
    const routing = yield* RoutingTable
    const clock = yield* Clock.Clock
    const watches = new Map<ModelName, Watch>()
    const broken = yield* Queue.unbounded<Broken>()

    /** Windows stay with their versions, for as long as the policy is the same. */
    const watchOf = (model: ModelName, ruled: Ruled): Watch | undefined => {
      const known = watches.get(model)
      if (known?.ruled === ruled) return known
      const { traffic, aliases } = ruled
      const rule = traffic.rollback
      if (rule === undefined) return undefined
      const isSame = known !== undefined && Equal.equals(known.ruled.traffic, traffic)
      if (isSame && known.isOver) return known
      const baseline = baselineOf(traffic, aliases)
      const versions = traffic.split
        .flatMap(({ version }) => versionMeant(version, aliases) ?? [])
        .filter((version) => version !== baseline)
      const windowOf = (version: VersionNumber) =>
        (isSame ? known.windows.get(version) : undefined) ?? new SlidingWindow(rule.windowSeconds * 1000)
      const windows = new Map(versions.map((version) => [version, windowOf(version)]))
      const watch: Watch = { ruled, rule, windows, isOver: false }
      watches.set(model, watch)
      return watch
    }

    const takeOut = (watch: Watch, { model, version }: Route, how: string) => {
      const { traffic, aliases } = watch.ruled
      const policy = withoutVersion(policyOf(traffic), aliases, version)
      if (policy === undefined) return
      watch.isOver = true
      const { revision } = traffic
      const reason = `Version ${version} was taken out of the split: ${how}`
      // No request more than there has to be, however long the store takes.
      routing.anticipate(model, revision, policy)
      Queue.offerUnsafe(broken, { model, revision, policy, reason })
    }

    const count = (route: Route, isError: boolean, computeMs: number) => {
      const ruled = routing.ruled(route.model)
      const watch = ruled && watchOf(route.model, ruled)
      const window = watch?.windows.get(route.version)
      if (watch === undefined || watch.isOver || window === undefined) return
      const { latencyMs = Number.POSITIVE_INFINITY } = watch.rule
      const counts = window.add(clock.currentTimeMillisUnsafe(), isError, computeMs > latencyMs)
      const how = breach(watch.rule, counts)
      if (how !== undefined) takeOut(watch, route, how)
    }

    const settle = ({ model, revision, policy, reason }: Broken) =>
      routing.thenRefresh(model, store.setTraffic(model, policy, { reason, after: revision })).pipe(
        Effect.tap(() => Effect.logWarning(`Traffic of model "${model}": ${reason}`)),
        Effect.tapError((error) =>
          error.reason._tag === "StoreUnavailable"
            ? Effect.logError(
                `The traffic policy of model "${model}" could not be changed yet: ${reason}`,
                error,
              )
            : Effect.void,
        ),
        Effect.retry({ schedule: untilItWorks, while: ({ reason }) => reason._tag === "StoreUnavailable" }),
        // Another server was first, or somebody changed the policy meanwhile: then that counts.
        Effect.catch((error) =>
          Effect.andThen(
            Effect.logInfo(`The traffic policy of model "${model}" was not changed: ${error.message}`),
            Effect.ignore(routing.refresh(model)),
          ),
        ),
        Effect.provideService(Actor, rollbackActor),
      )

    // Each by itself: one that waits for the store holds up no other.
    yield* Queue.take(broken).pipe(
      Effect.flatMap((one) => Effect.forkScoped(settle(one))),
      Effect.forever,
      Effect.forkScoped,
    )
    yield* routing.onChange(() => {
      for (const model of watches.keys()) if (routing.ruled(model) === undefined) watches.delete(model)
    })

    return RollbackRules.of({
      watches: (model) => routing.ruled(model) !== undefined,
      answered: (route, computeMs) => count(route, false, computeMs),
      failed: (route, { reason }) => {
        if (faults.has(reason._tag)) count(route, true, 0)
      },
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
