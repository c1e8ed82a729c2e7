/** Who did what, when, to what and from where: one link of the chain that the audit log is. */
import { Schema } from "effect"

/** Place in the chain, from 1 on and without gaps. */
export const AuditSequence = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)).pipe(
  Schema.brand("AuditSequence"),
)
export type AuditSequence = typeof AuditSequence.Type

/** A SHA-256 in lower-case hexadecimal. */
export const AuditHash = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)).pipe(
  Schema.brand("AuditHash"),
)
export type AuditHash = typeof AuditHash.Type

export const AuditAction = Schema.Literals([
  "model.created",
  "model.updated",
  "model.configured",
  "model.deleted",
  "version.committed",
  "version.validated",
  "version.described",
  "version.archived",
  "version.restored",
  "version.deleted",
  "version.loaded",
  "version.unloaded",
  "alias.moved",
  "traffic.changed",
  "key.created",
  "key.rotated",
  "key.revoked",
  "user.created",
  "user.updated",
  "user.deleted",
  "user.sessions-ended",
  "login.succeeded",
  "login.failed",
])
export type AuditAction = typeof AuditAction.Type

/** Kinds of what can be changed. */
export const AuditTargetType = Schema.Literals(["model", "version", "alias", "traffic", "key", "user"])
export type AuditTargetType = typeof AuditTargetType.Type

export const AuditTarget = Schema.Struct({
  type: AuditTargetType,
  /** `digits`, `digits/3`, `digits/production`, a key's id, or a user's email. */
  id: Schema.String,
})
export type AuditTarget = typeof AuditTarget.Type

export class AuditEntry extends Schema.Class<AuditEntry>("@modelforge/core/AuditEntry")({
  sequence: AuditSequence,
  at: Schema.DateTimeUtcFromString,
  /** `key:<id>`, `user:<email>`; null where the server was open, or did it by itself. */
  actor: Schema.NullOr(Schema.String),
  action: AuditAction,
  target: AuditTarget,
  /** Address of the client; null for the program itself. */
  from: Schema.NullOr(Schema.String),
  requestId: Schema.NullOr(Schema.String),
  /** Why, as whoever did it said. */
  reason: Schema.NullOr(Schema.String),
  /** What it was before, as far as it was changed; null for what was not there. Never a secret, hash or password. */
  before: Schema.Json,
  /** What it was after; null for what is not there any more. */
  after: Schema.Json,
  /** `hash` of the entry before this one; 64 zeros for the first. */
  previousHash: AuditHash,
  /** SHA-256 of all the other members as canonical JSON. */
  hash: AuditHash,
}) {}
