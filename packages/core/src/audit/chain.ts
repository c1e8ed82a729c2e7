/** How the entries of the audit log hold together: each is hashed with the hash of the one before. */
import { createHash } from "node:crypto"
import { DateTime } from "effect"
import { AuditEntry, AuditHash, AuditSequence } from "../model/AuditEntry.ts"
import type { AuditDraft } from "./AuditDraft.ts"
import type { AuditHead } from "./AuditStore.ts"
import { canonicalJson } from "./canonicalJson.ts"

/** Before the first entry. */
export const emptyHead: AuditHead = { sequence: 0, hash: AuditHash.make("0".repeat(64)) }

/** SHA-256 of the canonical JSON of all members but `hash`, in lower-case hexadecimal. */
export const hashOfEntry = ({
  hash: _,
  at,
  target,
  ...entry
}: Omit<AuditEntry, "hash"> & { hash?: string }) =>
  AuditHash.make(
    createHash("sha256")
      .update(canonicalJson({ ...entry, at: DateTime.formatIso(at), target: { ...target } }))
      .digest("hex"),
  )

/** The entry that comes after `head`. `at` has whole milliseconds: what is finer is not kept. */
export const link = (head: AuditHead, draft: AuditDraft, at: DateTime.Utc): AuditEntry => {
  const entry = {
    ...draft,
    sequence: AuditSequence.make(head.sequence + 1),
    at,
    previousHash: head.hash,
  }
  return new AuditEntry({ ...entry, hash: hashOfEntry(entry) })
}
