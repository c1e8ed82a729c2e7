/** The storage contract of the audit log: a chain that only grows. */
import { Context, type DateTime, type Effect } from "effect"
import type { AccessError } from "../access/AccessError.ts"
import type {
  AuditAction,
  AuditEntry,
  AuditHash,
  AuditSequence,
  AuditTarget,
  AuditTargetType,
} from "../model/AuditEntry.ts"
import type { Window } from "../registry/RegistryStore.ts"
import type { AuditDraft } from "./AuditDraft.ts"

/** All conditions must hold. */
export interface AuditFilter {
  readonly actor?: string | undefined
  readonly action?: AuditAction | undefined
  /** A kind of target, or one target. */
  readonly target?:
    | { readonly type: AuditTargetType; readonly id?: AuditTarget["id"] | undefined }
    | undefined
  /** From this moment on. */
  readonly from?: DateTime.Utc | undefined
  /** Before this moment. */
  readonly to?: DateTime.Utc | undefined
}

/** The end of the chain. */
export interface AuditHead {
  /** Of the last entry; 0 before the first. */
  readonly sequence: number
  readonly hash: AuditHash
}

/**
 * All may fail with `StoreUnavailable`. The operations of `RegistryStore` and `AccessStore` append too, each within its own
 * transaction: the change and its entry are both there or neither.
 */
export class AuditStore extends Context.Service<
  AuditStore,
  {
    readonly append: (draft: AuditDraft) => Effect.Effect<AuditEntry, AccessError>
    /** Newest first; `after` is a sequence. */
    readonly list: (
      filter: AuditFilter,
      window: Window<AuditSequence>,
    ) => Effect.Effect<ReadonlyArray<AuditEntry>, AccessError>
    /** At most `limit` entries from `first` on, oldest first. */
    readonly read: (
      first: AuditSequence,
      limit: number,
    ) => Effect.Effect<ReadonlyArray<AuditEntry>, AccessError>
    readonly head: Effect.Effect<AuditHead, AccessError>
  }
>()("@modelforge/core/audit/AuditStore") {}
