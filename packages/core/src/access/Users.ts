/** People who sign in, as admins manage them, and the check of their passwords. */
import { randomUUID } from "node:crypto"
import { Context, DateTime, Effect, Layer, Option, Redacted } from "effect"
import { AuditLog } from "../audit/AuditLog.ts"
import { Actor } from "../events/Actor.ts"
import type { Role } from "../model/Permission.ts"
import { type Email, User, UserId } from "../model/User.ts"
import type { Window } from "../registry/RegistryStore.ts"
import { AccessError, type AccessReason, LoginRefused, PasswordRefused, UserNotFound } from "./AccessError.ts"
import { AccessStore, type StoredLogin } from "./AccessStore.ts"
import { AccessTable } from "./AccessTable.ts"
import { PasswordHasher } from "./PasswordHasher.ts"
import { passwordFlaw } from "./passwordRules.ts"

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

const refuse = (reason: AccessReason) => Effect.fail(new AccessError({ reason }))

const newUser = Effect.fnUntraced(function* ({ email, name, role }: Omit<UserDraft, "password">) {
  return new User({
    id: UserId.make(randomUUID()),
    email,
    name,
    role,
    disabled: false,
    sessionEpoch: 1,
    createdAt: yield* DateTime.now,
    lastLoginAt: null,
  })
})

/** Why a login is refused, for the audit log; undefined when it is not. */
const loginFlaw = (known: StoredLogin | undefined, matches: boolean): string | undefined => {
  if (known === undefined) return "there is no such user"
  if (known.passwordHash === null) return "the user has no password"
  if (!matches) return "the password is wrong"
  return known.user.disabled ? "the user is disabled" : undefined
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
    /**
     * The user of that email, made as a viewer without a password when there is none. Whoever calls has verified the
     * address, and looks at `disabled`.
     */
    readonly ensureFromSso: (email: Email, name: string) => Effect.Effect<User, AccessError>
  }
>()("@modelforge/core/access/Users") {
  static readonly make = Effect.gen(function* () {
    const store = yield* AccessStore
    const audit = yield* AuditLog
    const hasher = yield* PasswordHasher
    const { thenApply } = yield* AccessTable
    const applied = (user: User) => ({ user })

    const find = Effect.fn("Users.find")(function* (id: UserId) {
      const found = yield* store.findUser(id)
      return Option.isSome(found) ? found.value : yield* refuse(new UserNotFound({ user: id }))
    })

    const hashOf = Effect.fnUntraced(function* (password: Redacted.Redacted, email: Email) {
      const detail = passwordFlaw(Redacted.value(password), email)
      if (detail !== undefined) return yield* refuse(new PasswordRefused({ detail }))
      return yield* hasher.hash(password)
    })

    return Users.of({
      find,
      list: store.listUsers,
      create: Effect.fn("Users.create")(function* ({ password, ...draft }) {
        const passwordHash = yield* hashOf(password, draft.email)
        const user = yield* newUser(draft)
        return yield* thenApply(store.insertUser({ user, passwordHash }), applied)
      }),
      update: Effect.fn("Users.update")(function* (id, { password, ...change }) {
        if (password === undefined) return yield* thenApply(store.updateUser(id, change), applied)
        const { email } = yield* find(id)
        const passwordHash = yield* hashOf(password, email)
        return yield* thenApply(store.updateUser(id, { ...change, passwordHash }), applied)
      }),
      remove: Effect.fn("Users.remove")((id) => thenApply(store.deleteUser(id), () => ({ removed: id }))),
      endSessions: Effect.fn("Users.endSessions")((id) => thenApply(store.endSessions(id), applied)),
      login: Effect.fn("Users.login")(function* (email, password) {
        const address = email.trim().toLowerCase()
        const known = Option.getOrUndefined(yield* store.findLogin(address))
        const from = known?.passwordHash ?? null
        const matches = yield* hasher.verify(password, from)
        const reason = loginFlaw(known, matches)
        const target = { type: "user", id: address } as const
        if (known === undefined || from === null || reason !== undefined) {
          yield* audit.append({ action: "login.failed", target, reason })
          return yield* refuse(new LoginRefused())
        }
        const { id } = known.user
        const rehashed = hasher.isOutdated(from) ? { from, to: yield* hasher.hash(password) } : undefined
        yield* store.noteLogin(id, yield* DateTime.now, rehashed)
        yield* Effect.provideService(
          audit.append({ action: "login.succeeded", target }),
          Actor,
          `user:${address}`,
        )
        return known.user
      }),
      ensureFromSso: Effect.fn("Users.ensureFromSso")(function* (email, name) {
        const login = yield* store.findLogin(email)
        if (Option.isSome(login)) return login.value.user
        const user = yield* newUser({ email, name, role: "viewer" })
        return yield* thenApply(
          store.insertUser({ user, passwordHash: null }, "single sign-on"),
          applied,
        ).pipe(
          // Somebody was faster.
          Effect.catchReason("AccessError", "EmailTaken", (taken) =>
            Effect.flatMap(store.findLogin(email), (login) =>
              Option.isSome(login) ? Effect.succeed(login.value.user) : refuse(taken),
            ),
          ),
        )
      }),
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
