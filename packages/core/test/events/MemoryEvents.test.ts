import { layerRegistryStoreMemory } from "../../src/registry/MemoryRegistryStore.ts"
import { suite } from "../../src/testing/EventStoreSuite.ts"

suite("memory", layerRegistryStoreMemory)
