/** The storage contract of keys and users. */
import { Context, type DateTime, type Effect, type Option, Schema } from "effect"
import { ApiKey, type KeyId } from "../model/ApiKey.ts"
import type { Role } from "../model/Permission.ts"
import type { Email, User, UserId } from "../model/User.ts"
import type { Window } from "../registry/RegistryStore.ts"
import type { AccessError } from "./AccessError.ts"

/** SHA-256 of a key's whole text, in lower-case hexadecimal. */
export const KeyHash = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)).pipe(Schema.brand("KeyHash"))
export type KeyHash = typeof KeyHash.Type

/** A key with what its text is compared with. */
export class StoredKey extends Schema.Class<StoredKey>("@modelforge/core/access/StoredKey")({
  key: ApiKey,
  hash: KeyHash,
  /** Valid until the key's `previousUntil`. */
  previousHash: Schema.NullOr(KeyHash),
}) {}

/** A new text of a key. */
export interface Rotation {
  readonly hash: KeyHash
  /** How long the present text goes on being valid; null: it does not. */
  readonly previousUntil: DateTime.Utc | null
}

/** Members that are absent stay as they are. */
export interface UserPatch {
  readonly name?: string | undefined
  readonly role?: Role | undefined
  readonly disabled?: boolean | undefined
  /** Of a new password, as `PasswordHasher` encodes it. */
  readonly passwordHash?: string | undefined
}

/** What a password is compared with; null for a user without one. */
export interface StoredLogin {
  readonly user: User
  readonly passwordHash: string | null
}

/** What changed since a generation, and which users there are. */
export interface AccessDelta {
  /** Counts the changes of keys and users. */
  readonly generation: number
  /** Whether a key or user was ever made. */
  readonly closed: boolean
  readonly keys: ReadonlyArray<StoredKey>
  readonly users: ReadonlyArray<User>
  /** Of all users; undefined when nothing changed. */
  readonly userIds: ReadonlyArray<UserId> | undefined
}

/**
 * Every operation is atomic, and all may fail with `StoreUnavailable`. What changes a key or a user is in the audit log, in
 * the name of the `Actor`, and announced by `AccessChanges`; what a login or a use notes is neither. Once a key or user was
 * made the store is closed, whatever becomes of them.
 */
export class AccessStore extends Context.Service<
  AccessStore,
  {
    readonly insertKey: (stored: StoredKey) => Effect.Effect<StoredKey, AccessError>
    readonly findKey: (id: KeyId) => Effect.Effect<Option.Option<ApiKey>, AccessError>
    /** Newest first; `after` is the id of a key. */
    readonly listKeys: (window: Window<KeyId>) => Effect.Effect<ReadonlyArray<ApiKey>, AccessError>
    /** Does nothing to a key that was revoked. Fails with `KeyNotFound`. */
    readonly revokeKey: (id: KeyId, at: DateTime.Utc) => Effect.Effect<StoredKey, AccessError>
    /** Fails with `KeyNotFound` or `KeyRevoked`. */
    readonly rotateKey: (id: KeyId, rotation: Rotation) => Effect.Effect<StoredKey, AccessError>
    /** When keys were last used: a later note stays. */
    readonly noteUses: (uses: ReadonlyMap<KeyId, DateTime.Utc>) => Effect.Effect<void, AccessError>

    /** Fails with `EmailTaken`. `reason` is for the audit log. */
    readonly insertUser: (login: StoredLogin, reason?: string) => Effect.Effect<User, AccessError>
    readonly findUser: (id: UserId) => Effect.Effect<Option.Option<User>, AccessError>
    readonly findLogin: (email: string) => Effect.Effect<Option.Option<StoredLogin>, AccessError>
    /** By email, ascending. */
    readonly listUsers: (window: Window<Email>) => Effect.Effect<ReadonlyArray<User>, AccessError>
    /**
     * Begins a new epoch of sessions when the role, the password or `disabled` is another then. Fails with
     * `UserNotFound`, or `LastAdmin` when no enabled admin would be left.
     */
    readonly updateUser: (id: UserId, patch: UserPatch) => Effect.Effect<User, AccessError>
    /** Begins a new epoch. Fails with `UserNotFound`. */
    readonly endSessions: (id: UserId) => Effect.Effect<User, AccessError>
    /** Fails with `UserNotFound` or `LastAdmin`. */
    readonly deleteUser: (id: UserId) => Effect.Effect<void, AccessError>
    /** When the user signed in, and the same password hashed anew, if it still is the same. */
    readonly noteLogin: (
      id: UserId,
      at: DateTime.Utc,
      rehashed?: { readonly from: string; readonly to: string },
    ) => Effect.Effect<void, AccessError>

    /** Counts as a key that was made, though none is stored. */
    readonly close: Effect.Effect<void, AccessError>
    /** Everything, for generation -1. */
    readonly changesSince: (generation: number) => Effect.Effect<AccessDelta, AccessError>
  }
>()("@modelforge/core/access/AccessStore") {}
