/** The audit log in the memory of one process: what the other stores in memory append to. */
import { Context, DateTime, Effect, Layer } from "effect"
import type { AuditEntry } from "../model/AuditEntry.ts"
import type { AuditDraft } from "./AuditDraft.ts"
import { type AuditFilter, type AuditHead, AuditStore } from "./AuditStore.ts"
import { emptyHead, link } from "./chain.ts"

const matches =
  ({ actor, action, target, from, to }: AuditFilter) =>
  (entry: AuditEntry) =>
    (actor === undefined || entry.actor === actor) &&
    (action === undefined || entry.action === action) &&
    (target === undefined || entry.target.type === target.type) &&
    (target?.id === undefined || entry.target.id === target.id) &&
    (from === undefined || DateTime.isGreaterThanOrEqualTo(entry.at, from)) &&
    (to === undefined || DateTime.isLessThan(entry.at, to))

export class MemoryAudit extends Context.Service<
  MemoryAudit,
  { readonly append: (draft: AuditDraft, at: DateTime.Utc) => AuditEntry }
>()("@modelforge/core/audit/MemoryAudit") {}

const make = Effect.sync(() => {
  const entries: Array<AuditEntry> = []
  const head = (): AuditHead => entries.at(-1) ?? emptyHead
  const append = (draft: AuditDraft, at: DateTime.Utc) => {
    const entry = link(head(), draft, at)
    entries.push(entry)
    return entry
  }
  return Context.make(MemoryAudit, MemoryAudit.of({ append })).pipe(
    Context.add(
      AuditStore,
      AuditStore.of({
        append: (draft) => Effect.map(DateTime.now, (at) => append(draft, at)),
        list: (filter, { limit, after }) =>
          Effect.sync(() =>
            entries
              .filter(({ sequence }) => after === undefined || sequence < after)
              .filter(matches(filter))
              .reverse()
              .slice(0, limit),
          ),
        read: (first, limit) => Effect.sync(() => entries.slice(first - 1, first - 1 + limit)),
        head: Effect.sync(head),
      }),
    ),
  )
})

/** Begins empty. The stores in memory that are built with it write to the same log. */
export const layerAuditStoreMemory: Layer.Layer<AuditStore | MemoryAudit> = Layer.effectContext(make)
