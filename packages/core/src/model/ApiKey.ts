/** Keys that programs authenticate with. */
import { Schema } from "effect"
import { ModelName } from "./Names.ts"
import { Scope } from "./Permission.ts"

/** The public part of a key, by which it is found: in `mf_<id>_<secret>`. It stays when the secret is rotated. */
export const KeyId = Schema.String.check(
  Schema.isPattern(/^[a-z0-9]{12}$/, { message: "a key's id is 12 of a-z and 0-9" }),
).pipe(Schema.brand("KeyId"))
export type KeyId = typeof KeyId.Type

/** At most so many requests in any stretch of so many seconds. */
export const RateLimit = Schema.Struct({
  requests: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000_000 })),
  seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 86_400 })),
})
export type RateLimit = typeof RateLimit.Type

/** At most so many requests in each hour, day or month of UTC. */
export const Quota = Schema.Struct({
  requests: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000_000_000 })),
  period: Schema.Literals(["hour", "day", "month"]),
})
export type Quota = typeof Quota.Type

/** What people choose of a key. */
export const KeyDraft = Schema.Struct({
  name: Schema.Trimmed.check(Schema.isMinLength(1), Schema.isMaxLength(100)),
  scopes: Schema.UniqueArray(Scope).check(Schema.isMinLength(1)),
  /** The only models that the key is for; null: all. */
  models: Schema.NullOr(Schema.UniqueArray(ModelName).check(Schema.isMinLength(1), Schema.isMaxLength(1000))),
  expiresAt: Schema.NullOr(Schema.DateTimeUtcFromString),
  rateLimit: Schema.NullOr(RateLimit),
  quota: Schema.NullOr(Quota),
})
export type KeyDraft = typeof KeyDraft.Type

/** Seconds that the secret before the last rotation may go on being valid: a week. */
export const maxOverlapSeconds = 604_800

/** A key as its owner may see it: without the secret, which is shown once and kept as a hash. */
export class ApiKey extends Schema.Class<ApiKey>("@modelforge/core/ApiKey")({
  id: KeyId,
  ...KeyDraft.fields,
  createdAt: Schema.DateTimeUtcFromString,
  /** Who made it; null where the server was open. */
  createdBy: Schema.NullOr(Schema.String),
  /** About when it was last used, within a minute; null: never. */
  lastUsedAt: Schema.NullOr(Schema.DateTimeUtcFromString),
  /** Until when the secret before the last rotation still works; null: it does not. */
  previousUntil: Schema.NullOr(Schema.DateTimeUtcFromString),
  /** When it was revoked, for good; null: it was not. */
  revokedAt: Schema.NullOr(Schema.DateTimeUtcFromString),
}) {}
