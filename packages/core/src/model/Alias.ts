/** Where an alias points, and how it came there. */
import { Schema } from "effect"
import { AliasName } from "./Names.ts"
import { VersionNumber } from "./Version.ts"

/** An alias that exists. */
export const Alias = Schema.Struct({
  alias: AliasName,
  version: VersionNumber,
  updatedAt: Schema.DateTimeUtcFromString,
  /** Who moved it last; null where the server was open. */
  updatedBy: Schema.NullOr(Schema.String),
})
export type Alias = typeof Alias.Type

/** Why an alias was moved, in somebody's words. */
export const MoveReason = Schema.String.check(Schema.isMaxLength(1024))

/** One move of an alias: what it points at from then on. */
export class AliasMove extends Schema.Class<AliasMove>("@modelforge/core/AliasMove")({
  ...Alias.fields,
  /** 1, 2, 3, … in the order of the moves of this alias. */
  move: Schema.Int,
  /** What the alias pointed at before; null when it did not exist. */
  from: Schema.NullOr(VersionNumber),
  /** Null when the alias was deleted. */
  version: Schema.NullOr(VersionNumber),
  reason: Schema.NullOr(MoveReason),
  /** The earlier move whose target a rollback restored; null when it was no rollback. */
  restores: Schema.NullOr(Schema.Int),
}) {}

/** What an alias is after its newest move; null when it was deleted, or never was. */
export const aliasAfter = (move: AliasMove | undefined): Alias | null =>
  move === undefined || move.version === null
    ? null
    : { alias: move.alias, version: move.version, updatedAt: move.updatedAt, updatedBy: move.updatedBy }
