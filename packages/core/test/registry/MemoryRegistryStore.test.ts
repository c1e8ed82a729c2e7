import { assert, it } from "@effect/vitest"
import { DateTime, Effect, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { ModelName } from "../../src/model/Names.ts"
import { layerRegistryStoreMemory } from "../../src/registry/MemoryRegistryStore.ts"
import { RegistryStore } from "../../src/registry/RegistryStore.ts"
import { suite } from "../../src/testing/RegistryStoreSuite.ts"

suite("memory", layerRegistryStoreMemory)

const name = ModelName.make("clock")

it.effect("takes its times from the clock", () =>
  Effect.gen(function* () {
    const store = yield* RegistryStore
    yield* TestClock.setTime(1000)
    yield* store.insertModel({ name })
    yield* TestClock.adjust("1 minute")
    const model = yield* store.updateModel(name, { description: "later" })
    assert.strictEqual(DateTime.toEpochMillis(model.createdAt), 1000)
    assert.strictEqual(DateTime.toEpochMillis(model.updatedAt), 61_000)
  }).pipe(Effect.provide(layerRegistryStoreMemory)),
)

it.effect("every build starts empty", () =>
  Effect.gen(function* () {
    const insert = RegistryStore.use((store) => store.insertModel({ name }))
    yield* Effect.provide(insert, Layer.fresh(layerRegistryStoreMemory))
    const found = yield* Effect.provide(
      RegistryStore.use((store) => store.findModel(name)),
      Layer.fresh(layerRegistryStoreMemory),
    )
    assert.isTrue(Option.isNone(found))
  }),
)
