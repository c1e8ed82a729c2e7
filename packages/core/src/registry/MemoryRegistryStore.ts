/**
 * `RegistryStore`, with its events, in the memory of one process: volatile. For tests, examples and trying things out.
 */
import { Context, Layer } from "effect"
import type { AuditStore } from "../audit/AuditStore.ts"
import { layerAuditStoreMemory, MemoryAudit } from "../audit/MemoryAudit.ts"
import { EventStore } from "../events/EventStore.ts"
import { RegistryChanges } from "../events/RegistryChanges.ts"
import { makeAliasOperations } from "./memory/aliasOperations.ts"
import { MemoryRegistry } from "./memory/MemoryRegistry.ts"
import { makeModelOperations } from "./memory/modelOperations.ts"
import { makeTrafficOperations } from "./memory/trafficOperations.ts"
import { makeVersionOperations } from "./memory/versionOperations.ts"
import { RegistryStore } from "./RegistryStore.ts"

const make = MemoryAudit.useSync((audit) => {
  const registry = new MemoryRegistry(audit)
  const store = RegistryStore.of({
    ...makeModelOperations(registry),
    ...makeVersionOperations(registry),
    ...makeAliasOperations(registry),
    ...makeTrafficOperations(registry),
  })
  return Context.make(RegistryStore, store).pipe(
    Context.add(EventStore, registry.events.store),
    Context.add(RegistryChanges, registry.events.changes),
  )
})

/** Every build of this layer starts empty. What changes the registry is in the audit log that comes with it. */
export const layerRegistryStoreMemory: Layer.Layer<
  RegistryStore | EventStore | RegistryChanges | AuditStore | MemoryAudit
> = Layer.effectContext(make).pipe(Layer.provideMerge(layerAuditStoreMemory))
