/** What the audit log says of a change in the registry. */
import type { AuditAction } from "../model/AuditEntry.ts"
import type { Model } from "../model/Model.ts"
import type { ModelName } from "../model/Names.ts"
import type { RegistryChange } from "../model/RegistryEvent.ts"
import { policyOf } from "../model/TrafficPolicy.ts"
import type { Version } from "../model/Version.ts"
import type { AuditEvent } from "./AuditDraft.ts"

/** What the event of the change does not say. */
export interface ChangeDetails {
  readonly before?: object | undefined
  readonly after?: object | undefined
  readonly reason?: string | null | undefined
}

/** What of a deleted model is kept. */
export const auditedModel = ({ description, tags, labels, aliases, traffic, config }: Model) => ({
  description,
  tags,
  labels,
  aliases,
  traffic: traffic && policyOf(traffic),
  config,
})

/** What tells which file a version was. */
export const auditedVersion = ({ digest, size }: Version) => ({ digest, size })

type StateChange = Extract<RegistryChange, { readonly type: "version.state" }>

const stateAction = ({ from, to }: StateChange): AuditAction => {
  if (from === null) return "version.committed"
  if (to === null) return "version.deleted"
  if (from === "validating") return "version.validated"
  return to === "archived" ? "version.archived" : "version.restored"
}

const state = (value: string | null, details: object | undefined) =>
  value === null ? null : { state: value, ...details }

const pointer = (version: number | null) => (version === null ? null : { version })

/** The entry of a change, with the same names as its event where there are such. */
export const registryEntry = (
  model: ModelName,
  change: RegistryChange,
  { before, after, reason }: ChangeDetails = {},
): AuditEvent => {
  switch (change.type) {
    case "model.created":
    case "model.updated":
    case "model.configured":
    case "model.deleted":
      return { action: change.type, target: { type: "model", id: model }, before, after }
    case "version.described":
      return {
        action: change.type,
        target: { type: "version", id: `${model}/${change.version}` },
        before,
        after,
      }
    case "version.state":
      return {
        action: stateAction(change),
        target: { type: "version", id: `${model}/${change.version}` },
        before: state(change.from, before),
        after: state(change.to, after),
      }
    case "alias.moved":
      return {
        action: change.type,
        target: { type: "alias", id: `${model}/${change.alias}` },
        before: pointer(change.from),
        after: pointer(change.to),
        reason,
      }
    case "traffic.changed":
      return {
        action: change.type,
        target: { type: "traffic", id: model },
        before: change.from,
        after: change.to,
        reason: change.reason,
      }
  }
}
