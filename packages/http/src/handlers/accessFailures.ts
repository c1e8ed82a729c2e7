/** The failures of keys, users and the audit log as problems. Causes go to the log, never to the client. */
import { AccessError, type AccessReason } from "@modelforge/core"
import { Effect } from "effect"
import { type AccessProblem, accessProblem } from "../problems.ts"

/** Which class a reason becomes, so that handlers declare exactly what their endpoint can answer. */
interface ProblemTag {
  readonly KeyNotFound: "KeyNotFoundProblem"
  readonly KeyRevoked: "KeyRevokedProblem"
  readonly UserNotFound: "UserNotFoundProblem"
  readonly EmailTaken: "EmailTakenProblem"
  readonly LastAdmin: "LastAdminProblem"
  readonly PasswordRefused: "PasswordRefusedProblem"
  readonly LoginRefused: "LoginRefusedProblem"
  readonly PasswordsBusy: "UnavailableProblem"
  readonly StoreUnavailable: "UnavailableProblem"
}

type Answerable = Extract<AccessReason["_tag"], keyof ProblemTag>

type ProblemOf<Tag extends Answerable> = Extract<AccessProblem, { readonly _tag: ProblemTag[Tag] }>

type Answered<E, Tag extends Answerable> = Effect.Effect<never, Exclude<E, AccessError> | ProblemOf<Tag>>

/**
 * Answers the reasons that the endpoint declares, and `StoreUnavailable`, which every endpoint may meet. Any other
 * reason is a bug.
 */
export const answeringAccess =
  <const Tags extends ReadonlyArray<Answerable>>(...tags: Tags) =>
  <A, E, R>(effect: Effect.Effect<A, E | AccessError, R>) =>
    Effect.catch(effect, (error): Answered<E, Tags[number] | "StoreUnavailable"> => {
      if (!(error instanceof AccessError)) return Effect.fail(error as Exclude<E, AccessError>)
      const { reason } = error
      const expected: ReadonlyArray<string> = [...tags, "StoreUnavailable"]
      if (!expected.includes(reason._tag)) return Effect.die(error)
      const problem = Effect.fail(accessProblem(reason) as ProblemOf<Tags[number] | "StoreUnavailable">)
      return reason._tag === "StoreUnavailable"
        ? Effect.andThen(Effect.logError(reason.message, reason.cause), problem)
        : problem
    })
