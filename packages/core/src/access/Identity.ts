/** Who a request comes from, once that is known, and whether it may do what it asks for. */
import { Context } from "effect"
import type { ApiKey } from "../model/ApiKey.ts"
import type { ModelName } from "../model/Names.ts"
import { type Permission, roleGrants, scopesGrant } from "../model/Permission.ts"
import type { User } from "../model/User.ts"

export type Identity =
  /** Nobody said who they are: enough for what is public. */
  | { readonly _tag: "Anonymous" }
  /** The server asks for no key yet. May do everything. */
  | { readonly _tag: "Open" }
  /** Whoever owns the data folder, by its Unix socket, or the program that the engine lives in. May do everything. */
  | { readonly _tag: "Owner" }
  | { readonly _tag: "Key"; readonly key: ApiKey }
  | { readonly _tag: "User"; readonly user: User }

/** Ambient for what a request does. Default: the program that the engine lives in. */
export const CurrentIdentity = Context.Reference<Identity>("@modelforge/core/access/CurrentIdentity", {
  defaultValue: () => ({ _tag: "Owner" }),
})

/** As events, histories and the audit log name them: `key:<id>`, `user:<email>`; null for those without a name. */
export const actorOf = (identity: Identity): string | null => {
  if (identity._tag === "Key") return `key:${identity.key.id}`
  return identity._tag === "User" ? `user:${identity.user.email}` : null
}

/** Whether the identity may do what a route with this permission does, whatever the model. */
export const mayDo = (identity: Identity, permission: Permission): boolean => {
  switch (identity._tag) {
    case "Anonymous":
      return permission === "public" || permission === "login"
    case "Open":
    case "Owner":
      return true
    case "Key":
      return scopesGrant(identity.key.scopes, permission)
    case "User":
      return roleGrants(identity.user.role, permission)
  }
}

/** The only models that the identity is for; null: all. */
export const modelsOf = (identity: Identity): ReadonlyArray<ModelName> | null =>
  identity._tag === "Key" ? identity.key.models : null

/** Whether the identity is for this model: keys may be for some only. */
export const mayUse = (identity: Identity, model: ModelName | string): boolean =>
  modelsOf(identity)?.some((name) => name === model) ?? true
