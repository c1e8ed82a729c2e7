import { assert, it } from "@effect/vitest"
import { DateTime, Effect, Exit, Layer, Redacted, Scope } from "effect"
import { TestClock } from "effect/testing"
import { AccessError } from "../../src/access/AccessError.ts"
import { AccessStore } from "../../src/access/AccessStore.ts"
import { ApiKeys } from "../../src/access/ApiKeys.ts"
import { KeyUses } from "../../src/access/KeyUses.ts"
import { makeKeyId } from "../../src/access/keyText.ts"
import type { KeyId } from "../../src/model/ApiKey.ts"
import { StoreUnavailable } from "../../src/registry/RegistryError.ts"
import { access, bearer, type Calls, draft } from "./accessFixture.ts"

const calls: Calls = new Map()

it.effect("the last use of a key is written once a minute, however often it was used", () =>
  Effect.gen(function* () {
    const { create, find } = yield* ApiKeys
    const { key, secret } = yield* create(draft())
    const lastUse = Effect.map(
      find(key.id),
      ({ lastUsedAt }) => lastUsedAt && DateTime.toEpochMillis(lastUsedAt),
    )
    for (let i = 0; i < 100; i++) yield* bearer(Redacted.value(secret))
    yield* TestClock.adjust("30 seconds")
    yield* bearer(Redacted.value(secret))
    assert.isNull(yield* lastUse)
    yield* TestClock.adjust("30 seconds")
    assert.strictEqual(yield* lastUse, 30_000)
    yield* TestClock.adjust("10 minutes")
    assert.strictEqual(calls.get("noteUses"), 1)
  }).pipe(Effect.provide(access(calls))),
)

it.effect("what could not be written is written later, and the rest when the server stops", () =>
  Effect.gen(function* () {
    const written: Array<ReadonlyMap<KeyId, number>> = []
    let down = true
    const store = Layer.mock(AccessStore, {
      noteUses: (uses) =>
        Effect.suspend(() => {
          if (down)
            return Effect.fail(
              new AccessError({
                reason: new StoreUnavailable({ operation: "test", cause: new Error("away") }),
              }),
            )
          written.push(new Map([...uses].map(([id, at]) => [id, DateTime.toEpochMillis(at)])))
          return Effect.void
        }),
    })
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(Layer.fresh(KeyUses.layer.pipe(Layer.provide(store))), scope)
    const { note } = yield* Effect.provideContext(KeyUses, context)
    const [one, two] = [makeKeyId(), makeKeyId()]
    note(one, 1)
    yield* TestClock.adjust("1 minute")
    down = false
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual(written, [new Map([[one, 1]])])
    note(two, 2)
    yield* Scope.close(scope, Exit.void)
    assert.deepStrictEqual(written.slice(1), [new Map([[two, 2]])])
  }),
)
