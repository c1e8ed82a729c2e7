/**
 * Tokens that the dashboard signs for a user who is signed in there: JWTs for EdDSA and nothing else, for a minute at
 * most. Our own code because it has to be synchronous, and is short when only one algorithm may pass.
 */
import { type KeyObject, verify } from "node:crypto"
import { Predicate } from "effect"
import type { RefusalCause } from "./Credentials.ts"

/** What a token says of its user, once its signature is right. */
export interface DashboardClaims {
  /** The user's id. */
  readonly sub: string
  /** The session's id, at the dashboard. */
  readonly sid: string
  /** The epoch of sessions in which the session began; undefined where the dashboard does not keep it. */
  readonly epoch: number | undefined
}

const tokenAudience = "modelforge-api"
/** Seconds from `iat` to `exp`. */
const maxLifetime = 60
/** Seconds by which the clocks of the dashboard and of this machine may differ. */
const leeway = 5

const isToken = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}$/

/** Whether a text wants to be a token. */
export const looksLikeToken = (text: string): boolean => text.split(".", 4).length === 3

/** The object that base64url of JSON says; undefined when it says none. */
const objectIn = (part: string): object | undefined => {
  try {
    const value: unknown = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(part, "base64url")),
    )
    return Predicate.isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Own members only: `{}` has a `constructor`. */
const member = (object: object, name: string): unknown =>
  Object.hasOwn(object, name) ? Reflect.get(object, name) : undefined

const text = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= 256
const isEpoch = (value: unknown): value is number | undefined =>
  value === undefined || Number.isSafeInteger(value)
const seconds = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value)

/** Exactly what the dashboard writes: no other algorithm, no extension that this code would pass over. */
const isHeader = (header: object): boolean => {
  const typ = member(header, "typ")
  return (
    member(header, "alg") === "EdDSA" &&
    (typ === undefined || typ === "JWT") &&
    !Object.hasOwn(header, "crit")
  )
}

/** The claims of a token that is valid at `now`, in seconds since the epoch; else why it is refused. */
export const readDashboardToken = (
  token: string,
  key: KeyObject,
  now: number,
): DashboardClaims | RefusalCause => {
  if (!isToken.test(token)) return "malformed"
  const [head = "", body = "", signature = ""] = token.split(".")
  const header = objectIn(head)
  if (header === undefined || !isHeader(header)) return "malformed"
  const bytes = Buffer.from(signature, "base64url")
  // Of the last character two bits say nothing: a signature has one text.
  if (bytes.toString("base64url") !== signature) return "malformed"
  if (!verify(null, Buffer.from(`${head}.${body}`, "latin1"), key, bytes)) return "unverifiable"
  const claims = objectIn(body)
  if (claims === undefined) return "malformed"
  const [aud, sub, sid, epoch] = ["aud", "sub", "sid", "epoch"].map((name) => member(claims, name))
  const [iat, exp, nbf] = ["iat", "exp", "nbf"].map((name) => member(claims, name))
  if (aud !== tokenAudience || !text(sub) || !text(sid) || !isEpoch(epoch)) return "malformed"
  if (!seconds(iat) || !seconds(exp) || exp <= iat || exp - iat > maxLifetime) return "malformed"
  if (nbf !== undefined && !seconds(nbf)) return "malformed"
  if (now >= exp + leeway) return "expired"
  if (iat > now + leeway || (nbf !== undefined && nbf > now + leeway)) return "malformed"
  return { sub, sid, epoch }
}
