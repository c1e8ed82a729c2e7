import { layerIdempotencyStoreMemory } from "../../src/idempotency/MemoryIdempotencyStore.ts"
import { suite } from "../../src/testing/IdempotencyStoreSuite.ts"

suite("memory", layerIdempotencyStoreMemory)
