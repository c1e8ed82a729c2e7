/** Keys that programs authenticate with, as people manage them. */
import { Context, DateTime, Effect, Layer, Option, Redacted } from "effect"
import { Actor } from "../events/Actor.ts"
import { ApiKey, type KeyDraft, KeyId, maxOverlapSeconds } from "../model/ApiKey.ts"
import { Scope } from "../model/Permission.ts"
import type { Window } from "../registry/RegistryStore.ts"
import { AccessError, KeyNotFound, OperatorKeyUnusable } from "./AccessError.ts"
import { AccessStore, StoredKey } from "./AccessStore.ts"
import { AccessTable } from "./AccessTable.ts"
import { hashOfKeyText, makeKeyId, makeKeyText } from "./keyText.ts"

/** A key with the text that authenticates: `mf_<id>_<secret>`. It is shown once and kept nowhere. */
export interface IssuedKey {
  readonly key: ApiKey
  readonly secret: Redacted.Redacted
}

/** By which logs and histories name the operator's own key. */
export const operatorKeyId = KeyId.make("operatorskey")

const issue = (text: Redacted.Redacted, key: ApiKey) =>
  new StoredKey({ key, hash: hashOfKeyText(Redacted.value(text)), previousHash: null })

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
     * long as it runs, and stored nowhere. That a key was made is stored. Fails with `OperatorKeyUnusable`.
     */
    readonly ensureAdmin: (secret: Redacted.Redacted) => Effect.Effect<void, AccessError>
  }
>()("@modelforge/core/access/ApiKeys") {
  static readonly make = Effect.gen(function* () {
    const store = yield* AccessStore
    const { thenApply } = yield* AccessTable
    const applied = (key: StoredKey) => ({ key })

    const find = Effect.fn("ApiKeys.find")(function* (id: KeyId) {
      const found = yield* store.findKey(id)
      return Option.isSome(found)
        ? found.value
        : yield* new AccessError({ reason: new KeyNotFound({ key: id }) })
    })

    return ApiKeys.of({
      find,
      list: store.listKeys,
      create: Effect.fn("ApiKeys.create")(function* (draft) {
        const id = makeKeyId()
        const secret = makeKeyText(id)
        const key = new ApiKey({
          ...draft,
          id,
          createdAt: yield* DateTime.now,
          createdBy: yield* Actor,
          lastUsedAt: null,
          previousUntil: null,
          revokedAt: null,
        })
        const stored = yield* thenApply(store.insertKey(issue(secret, key)), applied)
        return { key: stored.key, secret }
      }),
      revoke: Effect.fn("ApiKeys.revoke")(function* (id) {
        const { key } = yield* thenApply(store.revokeKey(id, yield* DateTime.now), applied)
        return key
      }),
      rotate: Effect.fn("ApiKeys.rotate")(function* (id, overlapSeconds = 0) {
        const overlap = Math.min(Math.max(0, overlapSeconds), maxOverlapSeconds)
        const secret = makeKeyText(id)
        const previousUntil =
          overlap === 0 ? null : DateTime.add(yield* DateTime.now, { milliseconds: overlap * 1000 })
        const rotation = { hash: hashOfKeyText(Redacted.value(secret)), previousUntil }
        const { key } = yield* thenApply(store.rotateKey(id, rotation), applied)
        return { key, secret }
      }),
      ensureAdmin: Effect.fn("ApiKeys.ensureAdmin")(function* (secret) {
        const text = Redacted.value(secret).trim()
        if (!/^[\x21-\x7e]{32,4096}$/.test(text))
          return yield* new AccessError({ reason: new OperatorKeyUnusable() })
        const key = new ApiKey({
          id: operatorKeyId,
          name: "the operator's key",
          scopes: [...Scope.literals],
          models: null,
          expiresAt: null,
          rateLimit: null,
          quota: null,
          createdAt: yield* DateTime.now,
          createdBy: null,
          lastUsedAt: null,
          previousUntil: null,
          revokedAt: null,
        })
        const operatorKey = issue(Redacted.make(text), key)
        yield* thenApply(store.close, () => ({ operatorKey }))
      }),
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
