/** Finds out who a request comes from, without asking the database. */
import { Context, type Result, Schema } from "effect"
import type { Identity } from "./Identity.ts"

/** No credentials, though the route asks for some. */
export class CredentialsMissing extends Schema.TaggedError<CredentialsMissing>()("CredentialsMissing", {}) {
  override get message() {
    return 'This server asks for a key: send "Authorization: Bearer mf_…" or "x-api-key: mf_…"'
  }
}

/** One answer for all of them: unknown, wrong, expired, revoked, disabled. Which it was is the operator's to know. */
export class CredentialsRefused extends Schema.TaggedError<CredentialsRefused>()("CredentialsRefused", {
  /** For logs and counters only. */
  why: Schema.Literals([
    "malformed",
    "unknown",
    "wrong",
    "expired",
    "revoked",
    "disabled",
    "epoch",
    "unverifiable",
  ]),
}) {
  override get message() {
    return "The key or token is not valid: it is wrong, has expired, or was revoked"
  }
}

/** What a request brought: the texts of its headers, untouched. */
export interface Credentials {
  readonly authorization: string | undefined
  readonly apiKey: string | undefined
}

export class Authentication extends Context.Service<
  Authentication,
  {
    /**
     * Whether a key or user was ever made, here or on another replica: then no server on this database is open any
     * more.
     */
    readonly closed: () => boolean
    /** Synchronous, from tables in memory that follow the database within a second. Without credentials: `Anonymous`. */
    readonly identify: (credentials: Credentials) => Result.Result<Identity, CredentialsRefused>
  }
>()("@modelforge/core/access/Authentication") {}
