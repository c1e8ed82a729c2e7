/** Who did what: an append-only log whose entries are chained by their hashes, so that a changed past shows. */
import { Context, Effect, Layer } from "effect"
import type { AccessError } from "../access/AccessError.ts"
import type { AuditEntry, AuditSequence } from "../model/AuditEntry.ts"
import type { Window } from "../registry/RegistryStore.ts"
import { type AuditEvent, draftOf } from "./AuditDraft.ts"
import { type AuditFilter, AuditStore } from "./AuditStore.ts"
import { type AuditVerdict, type VerifyRange, verifyChain } from "./verifyChain.ts"

export class AuditLog extends Context.Service<
  AuditLog,
  {
    /**
     * Notes what no store notes with its change: logins, loads by hand. In the name of the `Actor`, from the
     * `Origin`. Fails with `StoreUnavailable`.
     */
    readonly append: (event: AuditEvent) => Effect.Effect<AuditEntry, AccessError>
    /** The same for what must go on without the database: where the entry can't be written, the server's log has it. */
    readonly note: (event: AuditEvent) => Effect.Effect<void>
    /** Newest first; `after` is a sequence. Fails with `StoreUnavailable`. */
    readonly list: (
      filter: AuditFilter,
      window: Window<AuditSequence>,
    ) => Effect.Effect<ReadonlyArray<AuditEntry>, AccessError>
    /** Computes the chain again, page by page, and tells the first entry that does not fit. Default: all of it. */
    readonly verify: (range?: VerifyRange) => Effect.Effect<AuditVerdict, AccessError>
  }
>()("@modelforge/core/audit/AuditLog") {
  static readonly make = Effect.gen(function* () {
    const store = yield* AuditStore

    const append = Effect.fn("AuditLog.append")((event: AuditEvent) =>
      Effect.flatMap(draftOf(event), store.append),
    )

    return AuditLog.of({
      append,
      note: (event) =>
        append(event).pipe(
          Effect.catch((error) =>
            Effect.logError("An entry of the audit log could not be written", event, error),
          ),
          Effect.asVoid,
        ),
      list: store.list,
      verify: Effect.fn("AuditLog.verify")((range) => verifyChain(store, range)),
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
