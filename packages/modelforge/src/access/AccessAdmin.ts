/** Keys, users and the audit log as commands manage them: at a server, or in the database itself. */
import {
  type ApiKey,
  ApiKeys,
  AuditLog,
  type AuditVerdict,
  type Email,
  type IssuedKey,
  type KeyDraft,
  type KeyId,
  type User,
  type UserChange,
  type UserDraft,
  type UserId,
  Users,
} from "@modelforge/core"
import { Context, Effect, Layer } from "effect"
import { CommandFailed } from "../command/CommandFailed.ts"

type Done<A> = Effect.Effect<A, CommandFailed>

export class AccessAdmin extends Context.Service<
  AccessAdmin,
  {
    readonly createKey: (draft: KeyDraft) => Done<IssuedKey>
    /** Newest first, revoked ones too. */
    readonly listKeys: Done<ReadonlyArray<ApiKey>>
    readonly revokeKey: (id: KeyId) => Done<void>
    readonly rotateKey: (id: KeyId, overlapSeconds: number) => Done<IssuedKey>
    readonly createUser: (draft: UserDraft) => Done<User>
    /** By email. */
    readonly listUsers: Done<ReadonlyArray<User>>
    readonly updateUser: (id: UserId, change: UserChange) => Done<User>
    readonly removeUser: (id: UserId) => Done<void>
    readonly verifyAudit: Done<AuditVerdict>
  }
>()("modelforge/AccessAdmin") {
  /** On the services themselves. */
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const keys = yield* ApiKeys
      const users = yield* Users
      const log = yield* AuditLog
      const failing = Effect.mapError(({ message }: Error) => new CommandFailed({ detail: message }))
      return {
        createKey: (draft) => failing(keys.create(draft)),
        listKeys: failing(
          allPages((last: ApiKey | undefined, limit) => keys.list({ limit, after: last?.id })),
        ),
        revokeKey: (id) => failing(Effect.asVoid(keys.revoke(id))),
        rotateKey: (id, overlapSeconds) => failing(keys.rotate(id, overlapSeconds)),
        createUser: (draft) => failing(users.create(draft)),
        listUsers: failing(
          allPages((last: User | undefined, limit) => users.list({ limit, after: last?.email })),
        ),
        updateUser: (id, change) => failing(users.update(id, change)),
        removeUser: (id) => failing(users.remove(id)),
        verifyAudit: failing(log.verify()),
      }
    }),
  )
}

const pageSize = 200

/** Pages of the largest size, one after the other, each after the last item of the one before. */
export const allPages = <Item, E, R>(
  page: (last: Item | undefined, limit: number) => Effect.Effect<ReadonlyArray<Item>, E, R>,
): Effect.Effect<ReadonlyArray<Item>, E, R> =>
  Effect.gen(function* () {
    const all: Array<Item> = []
    for (;;) {
      const items = yield* page(all.at(-1), pageSize)
      all.push(...items)
      if (items.length < pageSize) return all
    }
  })

/** The user of an email address, as people write it. */
export const userOf = Effect.fnUntraced(function* (email: Email) {
  const users = yield* AccessAdmin.use(({ listUsers }) => listUsers)
  const found = users.find((user) => user.email === email)
  return found ?? (yield* new CommandFailed({ detail: `There is no user with the email address ${email}` }))
})
