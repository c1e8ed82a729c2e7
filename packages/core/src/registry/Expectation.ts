/** Changes that are made only to what the caller knows: lost updates are refused where they would happen. */
import { createHash } from "node:crypto"
import { Effect } from "effect"
import { RegistryError, RevisionMismatch } from "./RegistryError.ts"

/** Members in one order, however a store gives them. */
const sorted = (_key: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value

/** A name of a state, 22 characters of base64url: the same for equal states on every replica, another for any other. */
export const revisionOf = (state: unknown): string =>
  createHash("sha256").update(JSON.stringify(state, sorted)).digest().subarray(0, 16).toString("base64url")

/** The revisions of which one has to be the present one; that there is something, whatever it is; that there is nothing. */
export type Expectation = ReadonlyArray<string> | "present" | "absent"

/** Why a change is refused to `what`, which is in this state; null when it is not there. */
export const refusedByExpectation = (
  expected: Expectation | undefined,
  what: string,
  state: unknown,
): RevisionMismatch | undefined => {
  if (expected === undefined) return undefined
  const present = state === null ? null : revisionOf(state)
  const holds =
    expected === "present"
      ? present !== null
      : expected === "absent"
        ? present === null
        : present !== null && expected.includes(present)
  return holds ? undefined : new RevisionMismatch({ what, present, wantedNone: expected === "absent" })
}

/** Fails where `refusedByExpectation` says why: to be asked in the transaction of the change. */
export const expecting = (
  expected: Expectation | undefined,
  what: string,
  state: unknown,
): Effect.Effect<void, RegistryError> => {
  const reason = refusedByExpectation(expected, what, state)
  return reason === undefined ? Effect.void : Effect.fail(new RegistryError({ reason }))
}
