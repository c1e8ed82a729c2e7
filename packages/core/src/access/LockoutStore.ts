/** The storage contract of `LoginLockout`: failed attempts, counted for as long as they matter. */
import { Context, type Effect } from "effect"
import type { SharedStoreUnavailable } from "./SharedStoreUnavailable.ts"

/** Which counters an attempt falls under. Opaque texts without names or addresses in them. */
export interface LockoutSubject {
  /** This account from this address. */
  readonly pair: string
  /** This account from anywhere. A pair counts for it only as often as it may fail before its first lock. */
  readonly account: string
  /** Any account from this address; undefined where the address says nothing of who it is. */
  readonly address: string | undefined
}

export class LockoutStore extends Context.Service<
  LockoutStore,
  {
    /**
     * Counts an attempt as failed until it is settled, under all of its counters, and gives 0; or counts nothing and
     * gives the milliseconds until another one may be made. Atomic: of attempts at once none slips through.
     */
    readonly attempt: (subject: LockoutSubject) => Effect.Effect<number, SharedStoreUnavailable>
    /**
     * What came of an attempt that was counted, if it did not fail. `succeeded` forgets the failures of the pair, takes
     * the attempt from the other counters, and remembers the pair. `withdrawn` takes the attempt from all counters.
     */
    readonly settle: (
      subject: LockoutSubject,
      outcome: "succeeded" | "withdrawn",
    ) => Effect.Effect<void, SharedStoreUnavailable>
  }
>()("@modelforge/core/access/LockoutStore") {}

/** The rules, in one place for every store. */
export const lockoutRules = {
  /** Failures before the first lock, of one account from one address. */
  freeOfPair: 5,
  /** The same, of an account from anywhere, and of an address for any account. */
  freeOfOthers: 20,
  /** The first lock, in milliseconds. Each further failure doubles it. */
  firstLockMs: 30_000,
  longestLockMs: 15 * 60_000,
  /** Failures are forgotten after so long without another. */
  forgottenAfterMs: 60 * 60_000,
  /** For so long after a success, an account from that address falls under its own counter only. */
  rememberedForMs: 30 * 24 * 60 * 60_000,
} as const

/** How long the lock is after so many failures in a row, in milliseconds; 0 for none. */
export const lockMs = (failures: number, free: number): number =>
  failures < free
    ? 0
    : Math.min(lockoutRules.longestLockMs, lockoutRules.firstLockMs * 2 ** Math.min(failures - free, 20))
