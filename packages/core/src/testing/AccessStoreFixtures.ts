/** What the tests of access stores are made of. */
import { DateTime, Effect } from "effect"
import type { AccessChanges } from "../access/AccessChanges.ts"
import type { AccessError, AccessReason } from "../access/AccessError.ts"
import { type AccessStore, StoredKey, type StoredLogin } from "../access/AccessStore.ts"
import { hashOfKeyText, makeKeyId } from "../access/keyText.ts"
import { AuditStore } from "../audit/AuditStore.ts"
import { ApiKey } from "../model/ApiKey.ts"
import { Email, User, UserId } from "../model/User.ts"
import { oddText, uuid } from "./RegistryStoreFixtures.ts"

export type Needs = AccessStore | AccessChanges | AuditStore

/** What every store keeps: whole milliseconds. */
export const now = Effect.map(DateTime.now, (at) => DateTime.makeUnsafe(DateTime.toEpochMillis(at)))
export const later = (seconds: number) => Effect.map(now, (at) => DateTime.add(at, { seconds }))

export const freshKey = Effect.fnUntraced(function* (fields: Partial<ApiKey> = {}) {
  const id = makeKeyId()
  const key = new ApiKey({
    id,
    name: "ci",
    scopes: ["predict", "read"],
    models: null,
    expiresAt: null,
    rateLimit: null,
    quota: null,
    createdAt: yield* now,
    createdBy: null,
    lastUsedAt: null,
    previousUntil: null,
    revokedAt: null,
    ...fields,
  })
  return new StoredKey({ key, hash: hashOfKeyText(id), previousHash: null })
})

export const freshLogin = Effect.fnUntraced(function* (fields: Partial<User> = {}) {
  const user = new User({
    id: UserId.make(uuid()),
    email: Email.make(`${uuid()}@example.com`),
    name: oddText,
    role: "viewer",
    disabled: false,
    sessionEpoch: 1,
    createdAt: yield* now,
    lastLoginAt: null,
    ...fields,
  })
  return { user, passwordHash: "scrypt$a" } satisfies StoredLogin
})

export const reasonOf = <A>(effect: Effect.Effect<A, AccessError>) =>
  Effect.map(Effect.flip(effect), ({ reason }): AccessReason["_tag"] => reason._tag)

/** Actions and states of what the audit log says of a target, oldest first. */
export const audited = (type: "key" | "user", id: string) =>
  AuditStore.use((store) =>
    Effect.map(store.list({ target: { type, id } }, { limit: 50 }), (entries) =>
      entries
        .map(({ actor, action, before, after, reason }) => ({ actor, action, before, after, reason }))
        .reverse(),
    ),
  )
