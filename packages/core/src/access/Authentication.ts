/** Finds out who a request comes from, without asking the database. */
import { type KeyObject, timingSafeEqual } from "node:crypto"
import { Clock, Context, Effect, Layer, Result } from "effect"
import { AccessTable, type KnownKey, noDigest } from "./AccessTable.ts"
import { CheckedTexts } from "./CheckedTexts.ts"
import { type Credentials, CredentialsRefused, type RefusalCause } from "./Credentials.ts"
import { type InvalidPublicKey, parseDashboardKey } from "./dashboardKey.ts"
import { looksLikeToken, readDashboardToken } from "./dashboardToken.ts"
import type { Identity } from "./Identity.ts"
import { KeyUses } from "./KeyUses.ts"
import { digestOfKeyText, idInKeyText } from "./keyText.ts"

type Identified = Result.Result<Identity, CredentialsRefused>

export interface AuthenticationOptions {
  /** Of the dashboard whose tokens are taken, as `parseDashboardKey` reads it. Default: no token is. */
  readonly dashboardPublicKey?: string | undefined
}

/** Longest key or token, in characters; nothing longer is looked at. */
const maxLength = 4096

const byCause = <A>(make: (why: RefusalCause) => A): Record<RefusalCause, A> => ({
  malformed: make("malformed"),
  unknown: make("unknown"),
  wrong: make("wrong"),
  expired: make("expired"),
  revoked: make("revoked"),
  disabled: make("disabled"),
  epoch: make("epoch"),
  unverifiable: make("unverifiable"),
})

/** Made once: refusals come in storms. */
const refusals = byCause((why): Identified => Result.fail(new CredentialsRefused({ why })))

const anonymous: Identified = Result.succeed({ _tag: "Anonymous" })

/** What comes after the scheme `Bearer`, in any case; undefined for another scheme. */
const bearerIn = (authorization: string): string | undefined => {
  if (authorization.length > maxLength) return undefined
  // As all clients write it.
  if (authorization.startsWith("Bearer ") && !authorization.includes(" ", 7)) return authorization.slice(7)
  const [scheme = "", text, ...rest] = authorization.trim().split(/ +/)
  return scheme.toLowerCase() === "bearer" && rest.length === 0 ? text : undefined
}

/** Compared whether or not there is such a key, so that it takes as long. */
const noKey: Pick<KnownKey, "digest" | "previousDigest"> = { digest: noDigest, previousDigest: noDigest }

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
    /** How often credentials were refused since the start, by why. */
    readonly refused: () => Readonly<Record<RefusalCause, number>>
  }
>()("@modelforge/core/access/Authentication") {
  static readonly make = Effect.fnUntraced(function* (dashboard: KeyObject | undefined) {
    const table = yield* AccessTable
    const uses = yield* KeyUses
    const clock = yield* Clock.Clock
    const counts = byCause(() => 0)
    const checked = new CheckedTexts()

    const refuse = (why: RefusalCause): Identified => {
      counts[why]++
      return refusals[why]
    }

    const byKey = (text: string, digest: Uint8Array, now: number): Identified => {
      const id = idInKeyText(text)
      if (id === undefined) return refuse("malformed")
      const known = table.key(id)
      const { digest: present, previousDigest } = known ?? noKey
      const isPresent = timingSafeEqual(digest, present)
      const isPrevious = timingSafeEqual(digest, previousDigest)
      if (known === undefined) return refuse("unknown")
      if (!isPresent && !isPrevious) return refuse("wrong")
      if (known.key.revokedAt !== null) return refuse("revoked")
      if (now >= known.expiresAt || (!isPresent && now >= known.previousUntil)) return refuse("expired")
      uses.note(known.key.id, now)
      return known.identity
    }

    const byToken = (text: string, now: number): Identified => {
      if (dashboard === undefined) return refuse("unverifiable")
      const claims = readDashboardToken(text, dashboard, now / 1000)
      if (typeof claims === "string") return refuse(claims)
      const user = table.user(claims.sub)
      if (user === undefined) return refuse("unknown")
      if (user.disabled) return refuse("disabled")
      const { epoch = user.sessionEpoch } = claims
      return epoch < user.sessionEpoch ? refuse("epoch") : Result.succeed({ _tag: "User", user })
    }

    const byDigest = (text: string, digest: Uint8Array, bearer: string | undefined, now: number) => {
      const operator = table.operatorKey()
      if (operator !== undefined && timingSafeEqual(digest, operator.digest)) return operator.identity
      return bearer !== undefined && looksLikeToken(bearer) ? byToken(bearer, now) : byKey(text, digest, now)
    }

    // Plain code: every request asks.
    const identify = ({ authorization, apiKey }: Credentials): Identified => {
      if (authorization === undefined && apiKey === undefined) return anonymous
      const bearer = authorization === undefined ? undefined : bearerIn(authorization)
      const text = bearer ?? apiKey
      if (text === undefined || text === "" || text.length > maxLength) return refuse("malformed")
      // Whoever sends two would not know which counts.
      if (authorization !== undefined && bearer === undefined) return refuse("malformed")
      if (apiKey !== undefined && apiKey !== text) return refuse("malformed")
      const now = clock.currentTimeMillisUnsafe()
      const remembered = checked.digestOf(text, now)
      const digest = remembered ?? digestOfKeyText(text)
      const identified = byDigest(text, digest, bearer, now)
      if (remembered === undefined && Result.isSuccess(identified) && identified.success._tag === "Key")
        checked.remember(text, digest)
      return identified
    }

    return Authentication.of({
      closed: table.closed,
      identify,
      refused: () => ({ ...counts }),
    })
  })

  /** Fails with `InvalidPublicKey`. */
  static readonly layer = ({
    dashboardPublicKey,
  }: AuthenticationOptions = {}): Layer.Layer<Authentication, InvalidPublicKey, AccessTable | KeyUses> =>
    Layer.effect(
      this,
      Effect.flatMap(
        dashboardPublicKey === undefined
          ? Effect.succeed(undefined)
          : Effect.fromResult(parseDashboardKey(dashboardPublicKey)),
        this.make,
      ),
    )
}
