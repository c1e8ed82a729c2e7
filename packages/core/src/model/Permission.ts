/** What callers may do: every route asks for one permission, keys grant scopes, users have a role. */
import { Schema } from "effect"

/** What an API key is for. None includes another: a key for everything has them all. */
export const Scope = Schema.Literals(["predict", "jobs", "read", "write", "admin"])
export type Scope = typeof Scope.Type

/** Each role may do what those before it may. */
export const Role = Schema.Literals(["viewer", "operator", "admin"])
export type Role = typeof Role.Type

/**
 * What a route asks of its caller. `public` asks nothing; `login` nothing of people, but `admin` of a key; `jobs:read` is
 * for what both `read` and `jobs` may see.
 */
export const Permission = Schema.Literals([
  "public",
  "login",
  "predict",
  "read",
  "jobs",
  "jobs:read",
  "write",
  "admin",
])
export type Permission = typeof Permission.Type

interface Requirement {
  /** A key needs one of these; empty: none. */
  readonly scopes: ReadonlyArray<Scope>
  /** A user needs this role at least; undefined: none, not even to be known. */
  readonly role: Role | undefined
}

export const requirements: Readonly<Record<Permission, Requirement>> = {
  public: { scopes: [], role: undefined },
  login: { scopes: ["admin"], role: undefined },
  predict: { scopes: ["predict"], role: "viewer" },
  read: { scopes: ["read"], role: "viewer" },
  jobs: { scopes: ["jobs"], role: "operator" },
  "jobs:read": { scopes: ["read", "jobs"], role: "viewer" },
  write: { scopes: ["write"], role: "operator" },
  admin: { scopes: ["admin"], role: "admin" },
}

/** Whether a key's scopes grant what a route asks for. */
export const scopesGrant = (scopes: ReadonlyArray<Scope>, permission: Permission): boolean => {
  const wanted = requirements[permission].scopes
  return wanted.length === 0 || wanted.some((scope) => scopes.includes(scope))
}

/** Whether a user's role grants what a route asks for. */
export const roleGrants = (role: Role, permission: Permission): boolean => {
  const wanted = requirements[permission].role
  return wanted === undefined || Role.literals.indexOf(role) >= Role.literals.indexOf(wanted)
}
