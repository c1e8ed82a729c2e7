import { layerRateLimitStoreMemory } from "../../src/access/MemoryRateLimitStore.ts"
import { suite } from "../../src/testing/RateLimitStoreSuite.ts"

suite("memory", layerRateLimitStoreMemory)
