/** What every store asks of a traffic policy, within the transaction that sets it. */
import { Result } from "effect"
import { compareSignatures } from "../model/compareSignatures.ts"
import type { Model } from "../model/Model.ts"
import { AliasName, productionAlias } from "../model/Names.ts"
import { namedBy, type Traffic, type TrafficPolicy, versionMeant } from "../model/TrafficPolicy.ts"
import type { Version, VersionNumber } from "../model/Version.ts"
import { IncompatibleSplit, type RegistryReason, TrafficConflict, VersionNotFound } from "./RegistryError.ts"

const production = AliasName.make(productionAlias)

type Named = Pick<Model, "name" | "aliases">

/** The versions that a policy names, each once. Fails with the name that is none's. */
export const versionsNamed = (
  { name, aliases }: Named,
  policy: TrafficPolicy,
): Result.Result<ReadonlySet<VersionNumber>, VersionNotFound> => {
  const versions = new Set<VersionNumber>()
  for (const ref of namedBy(policy)) {
    const version = versionMeant(ref, aliases)
    if (version === undefined) return Result.fail(new VersionNotFound({ model: name, version: String(ref) }))
    versions.add(version)
  }
  return Result.succeed(versions)
}

/** The versions that callers may get an answer from, of a policy whose names are all there. */
export const versionsOfSplit = ({ aliases }: Named, { split }: TrafficPolicy): ReadonlySet<VersionNumber> =>
  new Set(split.flatMap(({ version }) => versionMeant(version, aliases) ?? []))

/** Where requests go that are to be split: to the version of `production`, else to the heaviest of the split. */
export const splitFrom = ({ aliases }: Named, { split }: TrafficPolicy): VersionNumber | undefined => {
  const heaviest = split.reduce((most, entry) => (entry.weight > most.weight ? entry : most))
  return versionMeant(production, aliases) ?? versionMeant(heaviest.version, aliases)
}

/** Why requests should not be spread from one version to another. */
export const incompatibleSplit = (from: Version, to: Version): IncompatibleSplit | undefined => {
  const differences = compareSignatures(from.signature, to.signature).filter(({ breaking }) => breaking)
  return differences.length === 0
    ? undefined
    : new IncompatibleSplit({ model: from.model, from: from.version, to: to.version, differences })
}

/** Why an alias can't be moved, or with `version` null be deleted, under the policy that is in force. */
export const refusedByTraffic = (
  { model, alias, version }: { model: string; alias: string; version: VersionNumber | null },
  traffic: Traffic | null,
): RegistryReason | undefined => {
  if (traffic === null) return undefined
  if (version !== null) return alias === productionAlias ? TrafficConflict.splitInForce(model) : undefined
  const named = [...namedBy(traffic)].some((ref) => ref === alias)
  return named ? TrafficConflict.namesAlias(model, alias) : undefined
}
