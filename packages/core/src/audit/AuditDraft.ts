/** An entry before it has its place in the chain. */
import { Effect, type Schema } from "effect"
import { Actor } from "../events/Actor.ts"
import { Origin } from "../events/Origin.ts"
import type { AuditAction, AuditTarget } from "../model/AuditEntry.ts"

/** What happened. Absent: null. */
export interface AuditEvent {
  readonly action: AuditAction
  readonly target: AuditTarget
  readonly reason?: string | null | undefined
  /** Anything that JSON can say. Never a secret, hash or password. */
  readonly before?: unknown
  readonly after?: unknown
}

/** What happened, with who did it and from where. */
export interface AuditDraft {
  readonly actor: string | null
  readonly action: AuditAction
  readonly target: AuditTarget
  readonly from: string | null
  readonly requestId: string | null
  readonly reason: string | null
  readonly before: Schema.Json
  readonly after: Schema.Json
}

/** Characters kept of a text: clients choose some of them. */
const maxText = 1024

/** As every store keeps it to the letter, because it is hashed: well-formed, without NUL, of bounded length. */
const kept = (value: string) => value.slice(0, maxText).toWellFormed().replaceAll("\0", "\uFFFD")
const keptOrNull = (value: string | null | undefined) => (value == null ? null : kept(value))

/** As it will be when it was stored and read. */
const asJson = (value: unknown): Schema.Json => JSON.parse(JSON.stringify(value ?? null))

export const draftFrom = (
  actor: string | null,
  { address, requestId }: Origin,
  { action, target, reason, before, after }: AuditEvent,
): AuditDraft => ({
  actor: keptOrNull(actor),
  action,
  target: { type: target.type, id: kept(target.id) },
  from: keptOrNull(address),
  requestId: keptOrNull(requestId),
  reason: keptOrNull(reason),
  before: asJson(before),
  after: asJson(after),
})

/** In the name of the `Actor`, from the `Origin`. */
export const draftOf = Effect.fnUntraced(function* (event: AuditEvent) {
  return draftFrom(yield* Actor, yield* Origin, event)
})
