/** A traffic policy after one of its versions was taken out. */
import type { Model } from "../model/Model.ts"
import { AliasName, productionAlias } from "../model/Names.ts"
import { type SplitEntry, type TrafficPolicy, versionMeant } from "../model/TrafficPolicy.ts"
import type { VersionNumber } from "../model/Version.ts"

type Aliases = Model["aliases"]

const production = AliasName.make(productionAlias)

/**
 * The version of a split that others are measured against, and that is never taken out: where `production` points, else
 * the oldest.
 */
export const baselineOf = ({ split }: TrafficPolicy, aliases: Aliases): VersionNumber | undefined => {
  const versions = split.flatMap(({ version }) => versionMeant(version, aliases) ?? [])
  const stable = versionMeant(production, aliases)
  return versions.find((version) => version === stable) ?? versions.sort((a, b) => a - b)[0]
}

/**
 * The policy without a version: its weight goes to the others in proportion to theirs, or all to the first of them when
 * they had none. Undefined when there are no others.
 */
export const withoutVersion = (
  policy: TrafficPolicy,
  aliases: Aliases,
  version: VersionNumber,
): TrafficPolicy | undefined => {
  const rest = policy.split.filter((entry) => versionMeant(entry.version, aliases) !== version)
  return rest.length === 0 ? undefined : { ...policy, split: scaled(rest) }
}

/** Weights that sum to 100 again, rounded by largest remainder. */
const scaled = (entries: ReadonlyArray<SplitEntry>): ReadonlyArray<SplitEntry> => {
  const total = entries.reduce((sum, { weight }) => sum + weight, 0)
  if (total === 0) return entries.map((entry, index) => ({ ...entry, weight: index === 0 ? 100 : 0 }))
  const exact = entries.map(({ weight }) => (weight * 100) / total)
  const missing = 100 - exact.reduce((sum, weight) => sum + Math.floor(weight), 0)
  const byRemainder = exact
    .map((weight, index) => ({ index, remainder: weight % 1 }))
    .sort((a, b) => b.remainder - a.remainder)
  const rounded = new Set(byRemainder.slice(0, missing).map(({ index }) => index))
  return entries.map((entry, index) => ({
    ...entry,
    weight: Math.floor(exact[index] ?? 0) + (rounded.has(index) ? 1 : 0),
  }))
}
