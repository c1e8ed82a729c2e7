/**
 * What the operations on models, versions, aliases and traffic policies share: the models, and the two logs that every
 * change goes to. Each change happens between two yields of its fiber, so no other fiber sees half of it.
 */
import { DateTime, Effect } from "effect"
import { draftFrom } from "../../audit/AuditDraft.ts"
import type { MemoryAudit } from "../../audit/MemoryAudit.ts"
import { type ChangeDetails, registryEntry } from "../../audit/registryEntries.ts"
import { Actor } from "../../events/Actor.ts"
import { MemoryEvents } from "../../events/MemoryEvents.ts"
import { Origin } from "../../events/Origin.ts"
import type { ModelName } from "../../model/Names.ts"
import type { RegistryChange } from "../../model/RegistryEvent.ts"
import type { Digest, VersionNumber } from "../../model/Version.ts"
import { RegistryError, type RegistryReason, VersionNotFound } from "../RegistryError.ts"
import type { StoredModel } from "./StoredModel.ts"

/** By whom, when and from where something is changed. */
export interface Change {
  readonly by: string | null
  readonly at: DateTime.Utc
  readonly origin: Origin
}
export const change = Effect.all({ by: Actor, at: DateTime.now, origin: Origin })

export const refuse = (reason: RegistryReason) => Effect.fail(new RegistryError({ reason }))

export const refuseNoVersion = (model: ModelName, version: VersionNumber) =>
  refuse(new VersionNotFound({ model, version: String(version) }))

export class MemoryRegistry {
  readonly models = new Map<ModelName, StoredModel>()
  /** When the last version that had it was deleted. */
  readonly released = new Map<Digest, DateTime.Utc>()
  readonly events = new MemoryEvents()
  readonly #audit: MemoryAudit["Service"]

  constructor(audit: MemoryAudit["Service"]) {
    this.#audit = audit
  }

  byName() {
    return [...this.models.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  versionOf(model: ModelName, version: VersionNumber) {
    return this.models.get(model)?.versions.get(version)
  }

  /** One change, in the log of events and in the audit log. */
  record(model: ModelName, { by, at, origin }: Change, what: RegistryChange, details?: ChangeDetails) {
    this.events.append(model, by, at, what)
    this.#audit.append(draftFrom(by, origin, registryEntry(model, what, details)), at)
  }
}
