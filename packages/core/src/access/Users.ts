/** People who sign in, as admins manage them, and the check of their passwords. */
import { Context, type Effect, type Redacted } from "effect"
import type { Role } from "../model/Permission.ts"
import type { Email, User, UserId } from "../model/User.ts"
import type { Window } from "../registry/RegistryStore.ts"
import type { AccessError } from "./AccessError.ts"

export interface UserDraft {
  readonly email: Email
  readonly name: string
  readonly role: Role
  readonly password: Redacted.Redacted
}

/** Members that are absent stay as they are. */
export interface UserChange {
  readonly name?: string | undefined
  readonly role?: Role | undefined
  readonly disabled?: boolean | undefined
  readonly password?: Redacted.Redacted | undefined
}

/**
 * Every change is in the audit log, in the name of the `Actor`, and in force here when it returns. Passwords have 12 to
 * 256 characters; what is easily guessed fails with `PasswordRefused`. Whatever hashes a password may fail with
 * `PasswordsBusy`.
 */
export class Users extends Context.Service<
  Users,
  {
    /** From then on no server on this database is open any more. Fails with `EmailTaken` or `PasswordRefused`. */
    readonly create: (draft: UserDraft) => Effect.Effect<User, AccessError>
    /** By email, ascending. */
    readonly list: (window: Window<Email>) => Effect.Effect<ReadonlyArray<User>, AccessError>
    /** Fails with `UserNotFound`. */
    readonly find: (id: UserId) => Effect.Effect<User, AccessError>
    /**
     * A changed role or password, disabling and enabling end the user's sessions. Fails with `UserNotFound`,
     * `PasswordRefused`, or `LastAdmin` when no enabled admin would be left.
     */
    readonly update: (id: UserId, change: UserChange) => Effect.Effect<User, AccessError>
    /** Fails with `UserNotFound` or `LastAdmin`. */
    readonly remove: (id: UserId) => Effect.Effect<void, AccessError>
    /** Ends all sessions of the user. Fails with `UserNotFound`. */
    readonly endSessions: (id: UserId) => Effect.Effect<User, AccessError>
    /**
     * Checks a password, and notes in the audit log how that ended. Fails with `LoginRefused`, after the same work
     * whether or not there is such a user. Limits on failed attempts are the caller's to keep.
     */
    readonly login: (email: string, password: Redacted.Redacted) => Effect.Effect<User, AccessError>
    /** The user of that email, made as a viewer without a password when there is none: whoever calls has verified them. */
    readonly ensureFromSso: (email: Email, name: string) => Effect.Effect<User, AccessError>
  }
>()("@modelforge/core/access/Users") {}
