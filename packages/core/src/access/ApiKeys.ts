/** Keys that programs authenticate with, as people manage them. */
import { Context, type Effect, type Redacted } from "effect"
import type { ApiKey, KeyDraft, KeyId } from "../model/ApiKey.ts"
import type { Window } from "../registry/RegistryStore.ts"
import type { AccessError } from "./AccessError.ts"

/** A key with the text that authenticates: `mf_<id>_<secret>`. It is shown once and kept nowhere. */
export interface IssuedKey {
  readonly key: ApiKey
  readonly secret: Redacted.Redacted
}

/** Every change is in the audit log, in the name of the `Actor`, and in force here when it returns. */
export class ApiKeys extends Context.Service<
  ApiKeys,
  {
    /** From then on no server on this database is open any more. */
    readonly create: (draft: KeyDraft) => Effect.Effect<IssuedKey, AccessError>
    /** Newest first, revoked ones too; `after` is a key's id. */
    readonly list: (window: Window<KeyId>) => Effect.Effect<ReadonlyArray<ApiKey>, AccessError>
    /** Fails with `KeyNotFound`. */
    readonly find: (id: KeyId) => Effect.Effect<ApiKey, AccessError>
    /** For good; does nothing to one that was revoked. The key stays, so that its id can be told. Fails with `KeyNotFound`. */
    readonly revoke: (id: KeyId) => Effect.Effect<ApiKey, AccessError>
    /**
     * A new secret. The one before goes on being valid for `overlapSeconds`, 0 to `maxOverlapSeconds`, by default 0;
     * one before that is not valid any more. Fails with `KeyNotFound` or `KeyRevoked`.
     */
    readonly rotate: (id: KeyId, overlapSeconds?: number) => Effect.Effect<IssuedKey, AccessError>
    /**
     * Takes the operator's own key, any text of 32 characters or more, as one with all scopes: on this process, for as
     * long as it runs, and stored nowhere. That a key was made is stored. Fails with `StoreUnavailable`; dies of a
     * shorter text.
     */
    readonly ensureAdmin: (secret: Redacted.Redacted) => Effect.Effect<void, AccessError>
  }
>()("@modelforge/core/access/ApiKeys") {}
