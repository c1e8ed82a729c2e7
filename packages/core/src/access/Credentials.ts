/** What a request brought to say who it comes from, and why that is not enough. */
import { Schema } from "effect"

/** What a request brought: the texts of its headers, untouched. */
export interface Credentials {
  readonly authorization: string | undefined
  readonly apiKey: string | undefined
}

/** Why credentials are refused: for logs and counters only. */
export const RefusalCause = Schema.Literals([
  /** No key and no token at all, or two different ones. */
  "malformed",
  /** No such key or user. */
  "unknown",
  /** Another secret than the key's. */
  "wrong",
  "expired",
  "revoked",
  /** The user is disabled. */
  "disabled",
  /** The session began in an epoch that is over. */
  "epoch",
  /** A token that the dashboard did not sign, or that can't be checked without its public key. */
  "unverifiable",
])
export type RefusalCause = typeof RefusalCause.Type

/** No credentials, though the route asks for some. */
export class CredentialsMissing extends Schema.TaggedError<CredentialsMissing>()("CredentialsMissing", {}) {
  override get message() {
    return 'This server asks for a key: send "Authorization: Bearer mf_…" or "x-api-key: mf_…"'
  }
}

/** One answer for all of them: unknown, wrong, expired, revoked, disabled. Which it was is the operator's to know. */
export class CredentialsRefused extends Schema.TaggedError<CredentialsRefused>()("CredentialsRefused", {
  why: RefusalCause,
}) {
  override get message() {
    return "The key or token is not valid: it is wrong, has expired, or was revoked"
  }
}
