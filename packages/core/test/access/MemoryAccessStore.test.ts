import { layerAccessStoreMemory } from "../../src/access/MemoryAccessStore.ts"
import { suite } from "../../src/testing/AccessStoreSuite.ts"

suite("memory", layerAccessStoreMemory)
