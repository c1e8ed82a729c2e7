import { layerRegistryStoreMemory } from "../../src/registry/MemoryRegistryStore.ts"
import { suite } from "../../src/testing/AuditStoreSuite.ts"

suite("memory", layerRegistryStoreMemory)
