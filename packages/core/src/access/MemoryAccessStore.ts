/** `AccessStore` and `AccessChanges` in the memory of one process: volatile. For tests and trying things out. */
import { Context, DateTime, Effect, Layer, Option, Queue, Stream } from "effect"
import { type AuditEvent, draftOf } from "../audit/AuditDraft.ts"
import type { AuditStore } from "../audit/AuditStore.ts"
import { keyView, userView } from "../audit/accessEntries.ts"
import { layerAuditStoreMemory, MemoryAudit } from "../audit/MemoryAudit.ts"
import { ApiKey, type KeyId } from "../model/ApiKey.ts"
import { User, type UserId } from "../model/User.ts"
import { AccessChanges, type AccessSignal } from "./AccessChanges.ts"
import {
  AccessError,
  type AccessReason,
  EmailTaken,
  KeyNotFound,
  KeyRevoked,
  LastAdmin,
  UserNotFound,
} from "./AccessError.ts"
import { AccessStore, StoredKey, type StoredLogin, type UserPatch } from "./AccessStore.ts"
import { beginsEpoch, isEnabledAdmin, patchEntry } from "./userChanges.ts"

interface Kept<A> {
  value: A
  /** Of the change that made it what it is. */
  generation: number
}

const refuse = (reason: AccessReason) => Effect.fail(new AccessError({ reason }))

const make = Effect.gen(function* () {
  const audit = yield* MemoryAudit
  const keys = new Map<KeyId, Kept<StoredKey>>()
  const users = new Map<UserId, Kept<StoredLogin>>()
  const readers = new Set<(signal: AccessSignal) => void>()
  let [generation, closed] = [0, false]

  /** One change, in the audit log, and announced. */
  const record = (event: AuditEvent) =>
    Effect.flatMap(DateTime.now, (at) =>
      Effect.map(draftOf(event), (draft) => {
        closed = true
        audit.append(draft, at)
        for (const tell of readers) tell("Changed")
      }),
    )

  const putKey = (value: StoredKey) => keys.set(value.key.id, { value, generation: ++generation })
  const putUser = (value: StoredLogin) => users.set(value.user.id, { value, generation: ++generation })

  const loginOf = (email: string) =>
    [...users.values()].find(({ value }) => value.user.email === email)?.value

  /** Why the user has to stay as it is. */
  const lastAdmin = (user: User) => {
    const others = [...users.values()].filter(({ value }) => value.user.id !== user.id)
    return isEnabledAdmin(user) && !others.some(({ value }) => isEnabledAdmin(value.user))
      ? new LastAdmin({ email: user.email })
      : undefined
  }

  const keyOf = (id: KeyId) =>
    Effect.suspend(() => {
      const kept = keys.get(id)
      return kept === undefined ? refuse(new KeyNotFound({ key: id })) : Effect.succeed(kept.value)
    })
  const userOf = (id: UserId) =>
    Effect.suspend(() => {
      const kept = users.get(id)
      return kept === undefined ? refuse(new UserNotFound({ user: id })) : Effect.succeed(kept.value)
    })

  const newestFirst = () => [...keys.values()].map(({ value }) => value.key).reverse()

  const store = AccessStore.of({
    insertKey: Effect.fnUntraced(function* (stored) {
      putKey(stored)
      const { key } = stored
      yield* record({ action: "key.created", target: { type: "key", id: key.id }, after: keyView(key) })
      return stored
    }),
    findKey: (id) => Effect.sync(() => Option.fromUndefinedOr(keys.get(id)?.value.key)),
    listKeys: ({ limit, after }) =>
      Effect.sync(() => {
        const all = newestFirst()
        const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1
        return all.slice(from, from + limit)
      }),
    revokeKey: Effect.fnUntraced(function* (id, at) {
      const stored = yield* keyOf(id)
      if (stored.key.revokedAt !== null) return stored
      const revoked = new StoredKey({ ...stored, key: new ApiKey({ ...stored.key, revokedAt: at }) })
      putKey(revoked)
      yield* record({ action: "key.revoked", target: { type: "key", id }, before: keyView(stored.key) })
      return revoked
    }),
    rotateKey: Effect.fnUntraced(function* (id, { hash, previousUntil }) {
      const stored = yield* keyOf(id)
      if (stored.key.revokedAt !== null) return yield* refuse(new KeyRevoked({ key: id }))
      const rotated = new StoredKey({
        key: new ApiKey({ ...stored.key, previousUntil }),
        hash,
        previousHash: previousUntil === null ? null : stored.hash,
      })
      putKey(rotated)
      yield* record({ action: "key.rotated", target: { type: "key", id }, after: { previousUntil } })
      return rotated
    }),
    noteUses: (uses) =>
      Effect.sync(() => {
        for (const [id, at] of uses) {
          const kept = keys.get(id)
          if (kept === undefined) continue
          const { lastUsedAt } = kept.value.key
          if (lastUsedAt !== null && DateTime.isGreaterThan(lastUsedAt, at)) continue
          kept.value = new StoredKey({
            ...kept.value,
            key: new ApiKey({ ...kept.value.key, lastUsedAt: at }),
          })
        }
      }),

    insertUser: Effect.fnUntraced(function* (login, reason) {
      const { user } = login
      if (loginOf(user.email) !== undefined) return yield* refuse(new EmailTaken({ email: user.email }))
      putUser(login)
      const target = { type: "user", id: user.email } as const
      yield* record({ action: "user.created", target, reason, after: userView(user) })
      return user
    }),
    findUser: (id) => Effect.sync(() => Option.fromUndefinedOr(users.get(id)?.value.user)),
    findLogin: (email) => Effect.sync(() => Option.fromUndefinedOr(loginOf(email))),
    listUsers: ({ limit, after }) =>
      Effect.sync(() =>
        [...users.values()]
          .map(({ value }) => value.user)
          .sort((a, b) => (a.email < b.email ? -1 : 1))
          .filter(({ email }) => after === undefined || email > after)
          .slice(0, limit),
      ),
    updateUser: Effect.fnUntraced(function* (id, patch: UserPatch) {
      const { user, passwordHash } = yield* userOf(id)
      const { name = user.name, role = user.role, disabled = user.disabled } = patch
      const sessionEpoch = user.sessionEpoch + (beginsEpoch(user, patch) ? 1 : 0)
      const updated = new User({ ...user, name, role, disabled, sessionEpoch })
      const last = isEnabledAdmin(updated) ? undefined : lastAdmin(user)
      if (last !== undefined) return yield* refuse(last)
      putUser({ user: updated, passwordHash: patch.passwordHash ?? passwordHash })
      yield* record(patchEntry(user, updated, patch))
      return updated
    }),
    endSessions: Effect.fnUntraced(function* (id) {
      const { user, passwordHash } = yield* userOf(id)
      const updated = new User({ ...user, sessionEpoch: user.sessionEpoch + 1 })
      putUser({ user: updated, passwordHash })
      yield* record({ action: "user.sessions-ended", target: { type: "user", id: user.email } })
      return updated
    }),
    deleteUser: Effect.fnUntraced(function* (id) {
      const { user } = yield* userOf(id)
      const last = lastAdmin(user)
      if (last !== undefined) return yield* refuse(last)
      users.delete(id)
      generation++
      const target = { type: "user", id: user.email } as const
      yield* record({ action: "user.deleted", target, before: userView(user) })
    }),
    noteLogin: (id, at, rehashed) =>
      Effect.sync(() => {
        const kept = users.get(id)
        if (kept === undefined) return
        const { user, passwordHash } = kept.value
        kept.value = {
          user: new User({ ...user, lastLoginAt: at }),
          passwordHash: passwordHash === rehashed?.from ? rehashed.to : passwordHash,
        }
      }),

    close: Effect.sync(() => {
      if (closed) return
      closed = true
      generation++
      for (const tell of readers) tell("Changed")
    }),
    changesSince: (since) =>
      Effect.sync(() => {
        const changed = <A>(kept: ReadonlyMap<unknown, Kept<A>>) =>
          [...kept.values()].filter((one) => one.generation > since).map(({ value }) => value)
        return {
          generation,
          closed,
          keys: changed(keys),
          users: changed(users).map(({ user }) => user),
          userIds: since === generation ? undefined : [...users.keys()],
        }
      }),
  })

  const changes = AccessChanges.of({
    signals: Stream.callback<AccessSignal>((queue) => {
      const tell = (signal: AccessSignal) => void Queue.offerUnsafe(queue, signal)
      return Effect.acquireRelease(
        Effect.sync(() => {
          readers.add(tell)
          tell("Connected")
        }),
        () => Effect.sync(() => readers.delete(tell)),
      )
    }),
  })

  return Context.make(AccessStore, store).pipe(Context.add(AccessChanges, changes))
})

/** Every build of this layer starts empty. What changes keys and users is in the audit log that comes with it. */
export const layerAccessStoreMemory: Layer.Layer<AccessStore | AccessChanges | AuditStore | MemoryAudit> =
  Layer.effectContext(make).pipe(Layer.provideMerge(layerAuditStoreMemory))
