/** Callers of each kind, for tests that are about what they may do and not about how they are known. */
import { assert } from "@effect/vitest"
import {
  ApiKey,
  type Authentication,
  CredentialsRefused,
  Email,
  type Identity,
  KeyId,
  ModelName,
  type Role,
  Scope,
  User,
  UserId,
} from "@modelforge/core"
import { DateTime, Result } from "effect"

const at = DateTime.makeUnsafe("2026-01-01T00:00:00Z")

const keyWith = (scopes: ReadonlyArray<Scope>, models: ReadonlyArray<string> | null = null): Identity => ({
  _tag: "Key",
  key: new ApiKey({
    id: KeyId.make("abcdefghijkl"),
    name: "a test",
    scopes,
    models: models?.map((name) => ModelName.make(name)) ?? null,
    expiresAt: null,
    rateLimit: null,
    quota: null,
    createdAt: at,
    createdBy: null,
    lastUsedAt: null,
    previousUntil: null,
    revokedAt: null,
  }),
})

const userWith = (role: Role): Identity => ({
  _tag: "User",
  user: new User({
    id: UserId.make("00000000-0000-4000-8000-000000000000"),
    email: Email.make(`${role}@example.com`),
    name: role,
    role,
    disabled: false,
    sessionEpoch: 0,
    createdAt: at,
    lastLoginAt: null,
  }),
})

const known: Readonly<Record<string, Identity>> = {
  everything: keyWith(Scope.literals),
  digits: keyWith(Scope.literals, ["digits"]),
  predict: keyWith(["predict"]),
  jobs: keyWith(["jobs"]),
  read: keyWith(["read"]),
  write: keyWith(["write"]),
  admin: keyWith(["admin"]),
  viewer: userWith("viewer"),
  operator: userWith("operator"),
}

/** A closed server on which `Authorization: Bearer <name>` is the caller of that name. */
export const authentication: Authentication["Service"] = {
  closed: () => true,
  refused: () => assert.fail("nobody asks"),
  identify: ({ authorization, apiKey }) => {
    const name = authorization?.replace(/^Bearer /, "") ?? apiKey
    if (name === undefined) return Result.succeed({ _tag: "Anonymous" })
    const identity = known[name]
    return identity === undefined
      ? Result.fail(new CredentialsRefused({ why: "unknown" }))
      : Result.succeed(identity)
  },
}
