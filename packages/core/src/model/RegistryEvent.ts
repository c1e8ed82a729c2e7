/** What happened to models, versions, aliases and traffic policies: one small record for each change. */
import { Schema } from "effect"
import { AliasName, ModelName } from "./Names.ts"
import { TrafficPolicy, TrafficReason } from "./TrafficPolicy.ts"
import { VersionNumber, VersionState } from "./Version.ts"

/** Where an event stands in the order of all events. Opaque: only the store that gave it can read it. */
export const EventId = Schema.String.check(
  Schema.isPattern(/^\d{1,20}-\d{1,19}$/, { message: "an event's id is one that this server gave" }),
).pipe(Schema.brand("EventId"))
export type EventId = typeof EventId.Type

export const RegistryChange = Schema.Union([
  Schema.Struct({
    type: Schema.Literals(["model.created", "model.updated", "model.configured", "model.deleted"]),
  }),
  /** `from` is null for a new version, `to` is null for one that was deleted. */
  Schema.Struct({
    type: Schema.Literal("version.state"),
    version: VersionNumber,
    from: Schema.NullOr(VersionState),
    to: Schema.NullOr(VersionState),
  }),
  Schema.Struct({ type: Schema.Literal("version.described"), version: VersionNumber }),
  /** `from` is null for a new alias, `to` is null for one that was deleted. */
  Schema.Struct({
    type: Schema.Literal("alias.moved"),
    alias: AliasName,
    from: Schema.NullOr(VersionNumber),
    to: Schema.NullOr(VersionNumber),
  }),
  /** `from` is null for a model that had no policy, `to` is null when it was removed. */
  Schema.Struct({
    type: Schema.Literal("traffic.changed"),
    from: Schema.NullOr(TrafficPolicy),
    to: Schema.NullOr(TrafficPolicy),
    reason: Schema.NullOr(TrafficReason),
  }),
])
export type RegistryChange = typeof RegistryChange.Type

export class RegistryEvent extends Schema.Class<RegistryEvent>("@modelforge/core/RegistryEvent")({
  id: EventId,
  at: Schema.DateTimeUtcFromString,
  /** Who did it; null where the server was open, or did it by itself. */
  by: Schema.NullOr(Schema.String),
  model: ModelName,
  change: RegistryChange,
}) {}
