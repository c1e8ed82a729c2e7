/** Whether the past is as it was written. */
import { Effect } from "effect"
import type { AccessError } from "../access/AccessError.ts"
import { type AuditEntry, AuditSequence } from "../model/AuditEntry.ts"
import type { AuditHead, AuditStore } from "./AuditStore.ts"
import { emptyHead, hashOfEntry } from "./chain.ts"

/** From the beginning, and to the end, where it does not say. */
export interface VerifyRange {
  readonly first?: AuditSequence | undefined
  readonly last?: AuditSequence | undefined
}

export type AuditVerdict =
  | { readonly _tag: "Intact"; readonly entries: number }
  /** The first entry that does not fit, and how. */
  | { readonly _tag: "Broken"; readonly sequence: number; readonly detail: string }

/** Entries that are in memory at once. */
const pageSize = 500

/** Why an entry can't come after what was before it; undefined when it can. */
const flaw = (before: AuditHead, entry: AuditEntry | undefined): string | undefined => {
  if (entry?.sequence !== before.sequence + 1) return "the entry is missing"
  if (entry.previousHash !== before.hash)
    return "the entry was not written after the one before it: one of them was replaced"
  return hashOfEntry(entry) === entry.hash ? undefined : "the entry was changed after it was written"
}

/**
 * Computes the chain again. A range that begins later takes the hash of the entry before it for right; one that ends with
 * the log is held against its head too, so that a cut-off end shows.
 */
export const verifyChain = Effect.fnUntraced(function* (
  store: AuditStore["Service"],
  { first = AuditSequence.make(1), last }: VerifyRange = {},
): Effect.fn.Return<AuditVerdict, AccessError> {
  const head = yield* store.head
  const end = Math.min(last ?? head.sequence, head.sequence)
  let known = emptyHead
  if (first > 1) {
    const [entry] = yield* store.read(AuditSequence.make(first - 1), 1)
    if (entry?.sequence !== first - 1 && first <= end)
      return { _tag: "Broken", sequence: first - 1, detail: "the entry is missing" }
    known = { sequence: first - 1, hash: entry?.hash ?? emptyHead.hash }
  }
  while (known.sequence < end) {
    const limit = Math.min(pageSize, end - known.sequence)
    const page = yield* store.read(AuditSequence.make(known.sequence + 1), limit)
    for (let index = 0; index < limit; index++) {
      const entry = page[index]
      const detail = flaw(known, entry)
      if (entry === undefined || detail !== undefined)
        return { _tag: "Broken", sequence: known.sequence + 1, detail: detail ?? "the entry is missing" }
      known = { sequence: entry.sequence, hash: entry.hash }
    }
  }
  if (known.sequence === head.sequence && known.hash !== head.hash)
    return { _tag: "Broken", sequence: head.sequence, detail: "the entry is not the last that was written" }
  return { _tag: "Intact", entries: Math.max(0, end - first + 1) }
})
