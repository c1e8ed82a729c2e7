/** `AccessStore` on PostgreSQL. The lock of the one row in `access` orders all changes. */
import type { AccessReason, AuditEvent, KeyId, UserId } from "@modelforge/core"
import {
  AccessError,
  AccessStore,
  beginsEpoch,
  draftOf,
  EmailTaken,
  isEnabledAdmin,
  KeyNotFound,
  KeyRevoked,
  keyView,
  LastAdmin,
  patchEntry,
  User,
  UserNotFound,
  userView,
} from "@modelforge/core"
import { Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql"
import { read, write } from "./accessOperation.ts"
import { makeAccessStatements } from "./accessStatements.ts"
import { addPending, makeAuditStatements } from "./auditStatements.ts"
import { makeUserStatements } from "./userStatements.ts"

const refuse = (reason: AccessReason) => Effect.fail(new AccessError({ reason }))

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const statements = makeAccessStatements(sql)
  const users = makeUserStatements(sql)
  const { transaction } = makeAuditStatements(sql)
  const record = (event: AuditEvent) => Effect.flatMap(draftOf(event), addPending)

  const storedKey = Effect.fnUntraced(function* (id: KeyId) {
    const found = yield* statements.findStored(id)
    return Option.isSome(found) ? found.value : yield* refuse(new KeyNotFound({ key: id }))
  })

  const userOf = Effect.fnUntraced(function* (id: UserId) {
    const found = yield* users.findUser(id)
    return Option.isSome(found) ? found.value : yield* refuse(new UserNotFound({ user: id }))
  })

  const refuseLastAdmin = Effect.fnUntraced(function* (user: User) {
    if (isEnabledAdmin(user) && !(yield* users.hasOtherAdmin(user.id)))
      return yield* refuse(new LastAdmin({ email: user.email }))
  })

  return AccessStore.of({
    insertKey: Effect.fnUntraced(
      function* (stored) {
        const inserted = yield* statements.insertKey(stored, yield* statements.nextGeneration)
        const { key } = inserted
        yield* record({ action: "key.created", target: { type: "key", id: key.id }, after: keyView(key) })
        return inserted
      },
      transaction,
      write("insertKey"),
    ),
    findKey: (id) => read("findKey")(statements.findKey(id)),
    listKeys: (window) => read("listKeys")(statements.listKeys(window)),
    revokeKey: Effect.fnUntraced(
      function* (id, at) {
        const generation = yield* statements.nextGeneration
        const stored = yield* storedKey(id)
        if (stored.key.revokedAt !== null) return stored
        const before = keyView(stored.key)
        yield* record({ action: "key.revoked", target: { type: "key", id }, before })
        return yield* statements.revokeKey(id, at, generation)
      },
      transaction,
      write("revokeKey"),
    ),
    rotateKey: Effect.fnUntraced(
      function* (id, rotation) {
        const generation = yield* statements.nextGeneration
        const { key } = yield* storedKey(id)
        if (key.revokedAt !== null) return yield* refuse(new KeyRevoked({ key: id }))
        const { previousUntil } = rotation
        yield* record({ action: "key.rotated", target: { type: "key", id }, after: { previousUntil } })
        return yield* statements.rotateKey(id, rotation, generation)
      },
      transaction,
      write("rotateKey"),
    ),
    noteUses: (uses) => write("noteUses")(Effect.asVoid(statements.noteUses(uses))),

    insertUser: Effect.fnUntraced(
      function* (login, reason) {
        const { email } = login.user
        const inserted = yield* users.insertUser(login, yield* statements.nextGeneration).pipe(
          // Ids are random: only the email can be taken.
          Effect.catchReason("SqlError", "UniqueViolation", () => refuse(new EmailTaken({ email }))),
        )
        const target = { type: "user", id: email } as const
        yield* record({ action: "user.created", target, reason, after: userView(inserted) })
        return inserted
      },
      transaction,
      write("insertUser"),
    ),
    findUser: (id) => read("findUser")(users.findUser(id)),
    findLogin: (email) => read("findLogin")(users.findLogin(email)),
    listUsers: (window) => read("listUsers")(users.listUsers(window)),
    updateUser: Effect.fnUntraced(
      function* (id, patch) {
        const generation = yield* statements.nextGeneration
        const user = yield* userOf(id)
        const { name = user.name, role = user.role, disabled = user.disabled } = patch
        const sessionEpoch = user.sessionEpoch + (beginsEpoch(user, patch) ? 1 : 0)
        const updated = new User({ ...user, name, role, disabled, sessionEpoch })
        if (!isEnabledAdmin(updated)) yield* refuseLastAdmin(user)
        yield* record(patchEntry(user, updated, patch))
        return yield* users.updateUser(updated, generation, patch.passwordHash)
      },
      transaction,
      write("updateUser"),
    ),
    endSessions: Effect.fnUntraced(
      function* (id) {
        const generation = yield* statements.nextGeneration
        const user = yield* userOf(id)
        yield* record({ action: "user.sessions-ended", target: { type: "user", id: user.email } })
        return yield* users.updateUser(new User({ ...user, sessionEpoch: user.sessionEpoch + 1 }), generation)
      },
      transaction,
      write("endSessions"),
    ),
    deleteUser: Effect.fnUntraced(
      function* (id) {
        yield* statements.nextGeneration
        const user = yield* userOf(id)
        yield* refuseLastAdmin(user)
        yield* users.deleteUser(id)
        const target = { type: "user", id: user.email } as const
        yield* record({ action: "user.deleted", target, before: userView(user) })
      },
      transaction,
      write("deleteUser"),
    ),
    noteLogin: (id, at, rehashed) =>
      write("noteLogin")(
        Effect.asVoid(users.noteLogin(id, at, rehashed?.from ?? null, rehashed?.to ?? null)),
      ),

    close: Effect.gen(function* () {
      const { closed } = yield* statements.state
      if (!closed) yield* statements.nextGeneration
    }).pipe(write("close")),
    // The state is read first: what the others find is at least that new.
    changesSince: Effect.fnUntraced(function* (since) {
      const { generation, closed } = yield* statements.state
      if (generation === since) return { generation, closed, keys: [], users: [], userIds: undefined }
      return {
        generation,
        closed,
        keys: yield* statements.keysSince(since),
        users: yield* users.usersSince(since),
        userIds: yield* statements.userIds,
      }
    }, read("readAccess")),
  })
})

/** On a database that `layerMigrations` has brought up to date. */
export const layer: Layer.Layer<AccessStore, never, SqlClient.SqlClient> = Layer.effect(AccessStore, make)
