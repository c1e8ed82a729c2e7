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
  readonly before?: Schema.Json | undefined
  readonly after?: Schema.Json | undefined
}

/** What happened, with who did it and from where. */
export interface AuditDraft extends Required<AuditEvent> {
  readonly actor: string | null
  readonly from: string | null
  readonly requestId: string | null
  readonly reason: string | null
  readonly before: Schema.Json
  readonly after: Schema.Json
}

/** Characters kept of a text: clients choose some of them. */
const maxText = 1000

/** As every store can keep it: well-formed, without NUL, of bounded length. */
const kept = (value: string) => value.slice(0, maxText).toWellFormed().replaceAll("\0", "\uFFFD")
const keptOrNull = (value: string | null | undefined) => (value == null ? null : kept(value))

/** In the name of `by`, from the `Origin`. */
export const draftBy = (by: string | null, { action, target, reason, before, after }: AuditEvent) =>
  Effect.map(
    Origin,
    ({ address, requestId }): AuditDraft => ({
      actor: keptOrNull(by),
      action,
      target: { type: target.type, id: kept(target.id) },
      from: keptOrNull(address),
      requestId: keptOrNull(requestId),
      reason: keptOrNull(reason),
      before: before ?? null,
      after: after ?? null,
    }),
  )

/** In the name of the `Actor`, from the `Origin`. */
export const draftOf = (event: AuditEvent) => Effect.flatMap(Actor, (by) => draftBy(by, event))
