/** How the requests of a model that name no version are spread over its versions. */
import { Schema } from "effect"
import { AliasName } from "./Names.ts"
import { VersionNumber } from "./Version.ts"

/** A version by its number, or by an alias and wherever that points. */
export const VersionRef = Schema.Union([VersionNumber, AliasName])
export type VersionRef = typeof VersionRef.Type

export const SplitEntry = Schema.Struct({
  version: VersionRef,
  /** Of 100 requests, so many. */
  weight: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 })),
})
export type SplitEntry = typeof SplitEntry.Type

export const Split = Schema.Array(SplitEntry).check(
  Schema.isMinLength(1),
  Schema.isMaxLength(16),
  Schema.makeFilter((split) => split.reduce((sum, { weight }) => sum + weight, 0) === 100, {
    message: "the weights of a split sum to 100",
  }),
  Schema.makeFilter((split) => new Set(split.map(({ version }) => version)).size === split.length, {
    message: "a split names each version once",
  }),
)
export type Split = typeof Split.Type

/** Versions that answered requests are run on again, to be compared. */
export const Shadows = Schema.Array(
  Schema.Struct({
    version: VersionRef,
    /** Of 100 requests, so many. */
    percent: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 })),
  }),
).check(
  Schema.isMaxLength(4),
  Schema.makeFilter((shadows) => new Set(shadows.map(({ version }) => version)).size === shadows.length, {
    message: "each version shadows once",
  }),
)

/** By what a caller is told from others: `header:<name>`, a header's value; `none`, by nothing. */
export const Sticky = Schema.String.check(
  Schema.isPattern(/^(?:none|header:[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64})$/, {
    message: 'sticky is "none" or "header:" and the name of a request header',
  }),
)

/** When a version is taken out of a split. Counted on each server by itself. */
export const RollbackRule = Schema.Struct({
  /** Share of a version's requests that fail by its fault, from which it is taken out. */
  errorRate: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })),
  /** How far back is looked. */
  windowSeconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 86_400 })),
  /** Of fewer requests nothing is concluded. */
  minRequests: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 })),
  /** Milliseconds that the runs of 95 % of the requests may take. Default: any. */
  latencyMs: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThan(0))),
})
export type RollbackRule = typeof RollbackRule.Type

export const TrafficPolicy = Schema.Struct({
  split: Split,
  /** Requests with the same value go to the same version. Default: `none`, each goes its own way. */
  sticky: Schema.optionalKey(Sticky),
  /** Default: none. */
  shadow: Schema.optionalKey(Shadows),
  /** Default: no version is taken out by itself. */
  rollback: Schema.optionalKey(RollbackRule),
})
export type TrafficPolicy = typeof TrafficPolicy.Type

/** Why a policy was changed, in somebody's words. */
export const TrafficReason = Schema.String.check(Schema.isMaxLength(1024))

/** The policy that is in force. */
export const Traffic = Schema.Struct({
  ...TrafficPolicy.fields,
  /** 1, 2, 3, … with every change of the model's policy. */
  revision: Schema.Int,
  updatedAt: Schema.DateTimeUtcFromString,
  /** Who set it; null where the server was open. */
  updatedBy: Schema.NullOr(Schema.String),
})
export type Traffic = typeof Traffic.Type

/** One change of a model's policy. */
export class TrafficChange extends Schema.Class<TrafficChange>("@modelforge/core/TrafficChange")({
  revision: Schema.Int,
  /** Null when there was none. */
  from: Schema.NullOr(TrafficPolicy),
  /** Null when it was removed. */
  policy: Schema.NullOr(TrafficPolicy),
  updatedAt: Schema.DateTimeUtcFromString,
  updatedBy: Schema.NullOr(Schema.String),
  reason: Schema.NullOr(TrafficReason),
}) {}

/** The policy that a change put in force, if any. */
export const inForceAfter = (change: TrafficChange | undefined): Traffic | null =>
  change === undefined || change.policy === null
    ? null
    : {
        ...change.policy,
        revision: change.revision,
        updatedAt: change.updatedAt,
        updatedBy: change.updatedBy,
      }

/** The policy alone, without who set it when. */
export const policyOf = ({
  revision: _,
  updatedAt: _at,
  updatedBy: _by,
  ...policy
}: Traffic): TrafficPolicy => policy

/** What a policy names, each once. */
export const namedBy = ({ split, shadow = [] }: TrafficPolicy): ReadonlySet<VersionRef> =>
  new Set([...split, ...shadow].map(({ version }) => version))

/** The version that is meant; undefined for an alias that is not there. */
export const versionMeant = (
  ref: VersionRef,
  aliases: Readonly<Record<AliasName, VersionNumber>>,
): VersionNumber | undefined =>
  typeof ref === "number" ? ref : Object.hasOwn(aliases, ref) ? aliases[ref] : undefined
