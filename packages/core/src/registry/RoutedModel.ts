/** The routes of one model, in the shape that lookups want. */
import { Result } from "effect"
import { InferenceError, VersionUnavailable } from "../inference/InferenceError.ts"
import { type ModelName, productionAlias } from "../model/Names.ts"
import { namedBy, type Traffic, type TrafficPolicy, versionMeant } from "../model/TrafficPolicy.ts"
import { WeightedSplit } from "../traffic/WeightedSplit.ts"
import { VersionNotFound } from "./RegistryError.ts"
import type { Routes } from "./RegistryStore.ts"
import { type Route, routeIdOf } from "./Route.ts"

/** A version that a share of the requests is run on again. */
export interface Shadow {
  readonly route: Route
  readonly percent: number
}

/** A policy with a rollback rule. One object as long as nothing changes. */
export interface Ruled {
  readonly traffic: Traffic
  readonly aliases: Routes["aliases"]
}

/** Where a request goes, or why it can't. */
export type Resolved = Result.Result<Route, InferenceError>

export interface RoutedModel {
  /** What was read, to be told from what is read next. */
  readonly routes: Routes
  readonly model: ModelName
  readonly byRef: ReadonlyMap<string, Route>
  /** Why a version that exists can't answer, by number and alias. */
  readonly unavailable: ReadonlyMap<string, VersionUnavailable>
  /** Where requests without a version go; made beforehand, so that choosing allocates nothing. */
  readonly split: WeightedSplit<Resolved> | undefined
  /** The same where there is no split: to `production`, else to the highest ready version. */
  readonly fallback: Resolved
  /** The header that callers are told by, in lower case. */
  readonly stickyHeader: string | undefined
  readonly ruled: Ruled | undefined
  readonly shadows: ReadonlyArray<Shadow> | undefined
  /** Versions that are ready, ascending. */
  readonly ready: ReadonlyArray<Route>
  /** Ids of the routes that an alias or the traffic policy points at. */
  readonly aliased: ReadonlySet<string>
}

const stickyPrefix = "header:"

const stickyHeaderOf = ({ traffic }: Routes): string | undefined =>
  traffic?.sticky?.startsWith(stickyPrefix)
    ? traffic.sticky.slice(stickyPrefix.length).toLowerCase()
    : undefined

/** Of the versions that the policy names, those that can take requests. */
export const splitOf = (
  { model, aliases }: Routes,
  policy: TrafficPolicy | null,
  byRef: ReadonlyMap<string, Route>,
) =>
  WeightedSplit.make(
    model,
    (policy?.split ?? []).flatMap(({ version, weight }) => {
      const route = byRef.get(String(versionMeant(version, aliases)))
      return route === undefined ? [] : [{ name: String(version), weight, value: Result.succeed(route) }]
    }),
  )

const shadowsOf = ({ traffic, aliases }: Routes, byRef: ReadonlyMap<string, Route>) => {
  const shadows = (traffic?.shadow ?? []).flatMap(({ version, percent }): ReadonlyArray<Shadow> => {
    const route = byRef.get(String(versionMeant(version, aliases)))
    return route === undefined ? [] : [{ route, percent }]
  })
  return shadows.length === 0 ? undefined : shadows
}

/** `policy` is the traffic policy to route by: that of the routes, or one that is about to follow it. */
export const routedModel = (routes: Routes, policy: TrafficPolicy | null): RoutedModel => {
  const byRef = new Map<string, Route>()
  const unavailable = new Map<string, VersionUnavailable>()
  const aliased = new Set<string>()
  const { model, config } = routes
  const ready = routes.versions
    .filter((version) => version.state === "ready")
    .sort((a, b) => a.version - b.version)
    .map(
      ({ version, digest, size, signature }): Route => ({
        id: routeIdOf({ model, version, digest }),
        model,
        version,
        digest,
        size,
        signature,
        outputNames: signature.outputs.map(({ name }) => name),
        config,
      }),
    )
  for (const route of ready) byRef.set(String(route.version), route)
  for (const { version, state, reason } of routes.versions)
    if (state !== "ready")
      unavailable.set(String(version), new VersionUnavailable({ model, version, state, detail: reason }))
  for (const [alias, version] of Object.entries(routes.aliases)) {
    const route = byRef.get(String(version))
    if (route !== undefined) {
      byRef.set(alias, route)
      aliased.add(route.id)
    }
    const why = unavailable.get(String(version))
    if (why !== undefined) unavailable.set(alias, why)
  }
  for (const version of routes.traffic === null ? [] : namedBy(routes.traffic)) {
    const route = byRef.get(String(versionMeant(version, routes.aliases)))
    if (route !== undefined) aliased.add(route.id)
  }
  const fallback = byRef.get(productionAlias) ?? ready.at(-1)
  return {
    routes,
    model,
    byRef,
    unavailable,
    split: splitOf(routes, policy, byRef),
    fallback:
      fallback === undefined
        ? Result.fail(new InferenceError({ reason: new VersionNotFound({ model, version: null }) }))
        : Result.succeed(fallback),
    stickyHeader: stickyHeaderOf(routes),
    shadows: shadowsOf(routes, byRef),
    ruled:
      routes.traffic?.rollback === undefined
        ? undefined
        : { traffic: routes.traffic, aliases: routes.aliases },
    ready,
    aliased,
  }
}
