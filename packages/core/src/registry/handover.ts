/**
 * From one version to another without a pause: what is pointed at newly is loaded first, and takes requests then. Until
 * then they go where they went.
 */
import { Result } from "effect"
import { type RoutedModel, routedModel } from "./RoutedModel.ts"

/** What is known of versions in memory; by `Route.id`. */
export interface Presence {
  readonly serves: (id: string) => boolean
  /** Settles when the load has ended, well or not; undefined when there is none. */
  readonly loading: (id: string) => Promise<unknown> | undefined
}

/** Where the requests of a model go meanwhile, and what they wait for. */
export interface Handover {
  readonly meanwhile: RoutedModel
  readonly after: RoutedModel
  readonly loads: ReadonlyArray<Promise<unknown>>
}

const targetsOf = ({ aliased, fallback }: RoutedModel): ReadonlySet<string> => {
  if (aliased.size > 0 || Result.isFailure(fallback)) return aliased
  return new Set([fallback.success.id])
}

/** Undefined when there is nothing to wait for, or nothing that could answer meanwhile. */
export const handover = (
  before: RoutedModel,
  after: RoutedModel,
  { serves, loading }: Presence,
): Handover | undefined => {
  const loads = [...after.aliased].filter((id) => !before.aliased.has(id)).flatMap((id) => loading(id) ?? [])
  const targets = targetsOf(before)
  const ready = new Set(after.ready.map(({ id }) => id))
  const canAnswer = targets.size > 0 && [...targets].every((id) => ready.has(id) && serves(id))
  if (loads.length === 0 || !canAnswer) return undefined
  // Aliases that are new or gone are so at once: only those that move wait.
  const known = new Map(Object.entries(before.routes.aliases))
  const aliases = Object.fromEntries(
    Object.entries(after.routes.aliases).map(([alias, version]) => [alias, known.get(alias) ?? version]),
  )
  const { traffic } = before.routes
  const meanwhile = routedModel({ ...after.routes, aliases, traffic }, traffic)
  return { meanwhile: { ...meanwhile, fallback: before.fallback }, after, loads }
}
