/** How an access store keeps keys. */
import { assert, type Vitest } from "@effect/vitest"
import { DateTime, Effect, Option } from "effect"
import { AccessStore } from "../access/AccessStore.ts"
import { hashOfKeyText, makeKeyId } from "../access/keyText.ts"
import { Actor } from "../events/Actor.ts"
import type { KeyId } from "../model/ApiKey.ts"
import { ModelName } from "../model/Names.ts"
import { audited, freshKey, later, type Needs, now, reasonOf } from "./AccessStoreFixtures.ts"
import { oddText } from "./RegistryStoreFixtures.ts"

export const keyTests = (it: Vitest.MethodsNonLive<Needs>) => {
  it.effect("a key is kept to the letter, and its hash is with what authenticates only", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const stored = yield* freshKey({
        name: oddText,
        models: [ModelName.make("digits"), ModelName.make("a.b_c-d")],
        expiresAt: yield* later(3600),
        rateLimit: { requests: 10, seconds: 60 },
        quota: { requests: 1_000_000_000_000, period: "month" },
        createdBy: "user:ada@example.com",
      })
      assert.deepStrictEqual(yield* store.insertKey(stored), stored)
      assert.deepStrictEqual(yield* store.findKey(stored.key.id), Option.some(stored.key))
      assert.deepStrictEqual(yield* store.findKey(makeKeyId()), Option.none())
      const [entry] = yield* audited("key", stored.key.id)
      const { name, scopes, models, rateLimit, quota, expiresAt } = stored.key
      assert.deepStrictEqual<unknown>(entry, {
        actor: "ada",
        action: "key.created",
        before: null,
        after: {
          name,
          scopes,
          models,
          rateLimit,
          quota,
          expiresAt: expiresAt && DateTime.formatIso(expiresAt),
        },
        reason: null,
      })
    }).pipe(Effect.provideService(Actor, "ada")),
  )

  it.effect("keys are listed newest first, page by page, revoked ones too", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const at = yield* later(3600)
      const made: Array<KeyId> = []
      for (let i = 0; i < 5; i++) {
        const stored = yield* freshKey({ createdAt: DateTime.add(at, { milliseconds: i }) })
        yield* store.insertKey(stored)
        made.push(stored.key.id)
      }
      const [first, second] = made
      if (second !== undefined) yield* store.revokeKey(second, at)
      const seen: Array<KeyId> = []
      while (first !== undefined && !seen.includes(first)) {
        const page = yield* store.listKeys({ limit: 2, after: seen.at(-1) })
        seen.push(...page.map(({ id }) => id))
        if (page.length === 0) break
      }
      assert.deepStrictEqual(
        seen.filter((id) => made.includes(id)),
        made.toReversed(),
      )
    }),
  )

  it.effect("a revoked key stays revoked, once, and is not rotated", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const stored = yield* freshKey()
      const { id } = stored.key
      yield* store.insertKey(stored)
      const [at, after] = [yield* now, yield* later(1)]
      assert.deepStrictEqual((yield* store.revokeKey(id, at)).key.revokedAt, at)
      assert.deepStrictEqual((yield* store.revokeKey(id, after)).key.revokedAt, at)
      const rotation = { hash: hashOfKeyText("new"), previousUntil: null }
      assert.strictEqual(yield* reasonOf(store.rotateKey(id, rotation)), "KeyRevoked")
      assert.strictEqual(yield* reasonOf(store.revokeKey(makeKeyId(), at)), "KeyNotFound")
      assert.strictEqual(yield* reasonOf(store.rotateKey(makeKeyId(), rotation)), "KeyNotFound")
      assert.deepStrictEqual(
        (yield* audited("key", id)).map(({ action }) => action),
        ["key.created", "key.revoked"],
      )
    }),
  )

  it.effect("a rotation keeps the hash before for as long as is said, and none before that", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const stored = yield* freshKey()
      const { id } = stored.key
      yield* store.insertKey(stored)
      const until = yield* later(60)
      const [second, third] = [hashOfKeyText("second"), hashOfKeyText("third")]
      const once = yield* store.rotateKey(id, { hash: second, previousUntil: until })
      assert.deepInclude(once, { hash: second, previousHash: stored.hash })
      assert.deepStrictEqual(once.key.previousUntil, until)
      const twice = yield* store.rotateKey(id, { hash: third, previousUntil: null })
      assert.deepInclude(twice, { hash: third, previousHash: null })
      const entries = yield* audited("key", id)
      assert.deepStrictEqual(
        entries.map(({ action }) => action),
        ["key.created", "key.rotated", "key.rotated"],
      )
      for (const hash of [stored.hash, second, third]) assert.notInclude(JSON.stringify(entries), hash)
    }),
  )

  it.effect("uses are noted for many keys at once, and never go back", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const [one, two] = [yield* freshKey(), yield* freshKey()]
      yield* store.insertKey(one)
      yield* store.insertKey(two)
      const [early, late] = [yield* now, yield* later(5)]
      const { generation } = yield* store.changesSince(-1)
      yield* store.noteUses(
        new Map([
          [one.key.id, late],
          [two.key.id, early],
          [makeKeyId(), early],
        ]),
      )
      yield* store.noteUses(
        new Map([
          [one.key.id, early],
          [two.key.id, late],
        ]),
      )
      for (const { key } of [one, two])
        assert.deepStrictEqual(
          Option.map(yield* store.findKey(key.id), ({ lastUsedAt }) => lastUsedAt),
          Option.some(late),
        )
      const uses = (yield* store.changesSince(generation)).keys.map(({ key }) => key.id)
      assert.notInclude(uses, one.key.id)
    }),
  )
}
