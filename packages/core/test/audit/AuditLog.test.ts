import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { AccessError } from "../../src/access/AccessError.ts"
import { AuditLog } from "../../src/audit/AuditLog.ts"
import { AuditStore } from "../../src/audit/AuditStore.ts"
import { layerAuditStoreMemory } from "../../src/audit/MemoryAudit.ts"
import { Actor } from "../../src/events/Actor.ts"
import { Origin } from "../../src/events/Origin.ts"
import { StoreUnavailable } from "../../src/registry/RegistryError.ts"

const event = { action: "version.loaded", target: { type: "version", id: "digits/1" } } as const

it.effect("an entry is in the name of the actor, from the request's origin, with bounded texts", () =>
  Effect.gen(function* () {
    const { append, note, list, verify } = yield* AuditLog
    const entry = yield* append({
      ...event,
      reason: "x".repeat(5000),
      after: { at: new Date(0), none: undefined },
    })
    assert.deepInclude(entry, { actor: "key:abc", from: "::1", requestId: "r" })
    assert.strictEqual(entry.reason?.length, 1024)
    assert.deepStrictEqual<unknown>(entry.after, { at: "1970-01-01T00:00:00.000Z" })
    yield* note(event)
    assert.deepStrictEqual(
      (yield* list({}, { limit: 10 })).map(({ sequence }) => Number(sequence)),
      [2, 1],
    )
    assert.deepStrictEqual(yield* verify(), { _tag: "Intact", entries: 2 })
  }).pipe(
    Effect.provideService(Actor, "key:abc"),
    Effect.provideService(Origin, { address: "::1", requestId: "r" }),
    Effect.provide(AuditLog.layer.pipe(Layer.provide(layerAuditStoreMemory))),
  ),
)

it.effect("what is noted while the store is away is in the server's log", () =>
  Effect.gen(function* () {
    const logged: Array<unknown> = []
    const logger = Logger.make(({ message }) => void logged.push(message))
    const reason = new StoreUnavailable({ operation: "test", cause: new Error("away") })
    const store = Layer.mock(AuditStore, { append: () => Effect.fail(new AccessError({ reason })) })
    yield* AuditLog.use(({ note }) => note(event)).pipe(
      Effect.provide(AuditLog.layer.pipe(Layer.provide(store))),
      Effect.provide(Logger.layer([logger])),
    )
    assert.include(JSON.stringify(logged), "digits/1")
  }),
)
