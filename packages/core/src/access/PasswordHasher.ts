/** Hashes passwords with scrypt: slow and large on purpose, so a few at once. */
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto"
import { Context, Effect, Layer, Redacted, Semaphore } from "effect"
import { AccessError, PasswordsBusy } from "./AccessError.ts"

/** What a hash costs. It is written into each, so that it can be raised later. */
export interface PasswordCost {
  /** Base-2 logarithm of scrypt's N. */
  readonly logN: number
  readonly r: number
  readonly p: number
}

/** What OWASP asks for: 128 MiB and some 0.3 s a hash. */
export const PasswordCost = Context.Reference<PasswordCost>("@modelforge/core/access/PasswordCost", {
  defaultValue: () => ({ logN: 17, r: 8, p: 1 }),
})

/** Hashes at once: each takes a thread of the four that Node has for files and names, and its memory. */
const maxAtOnce = 2
/** Hashes that may wait for their turn: some ten seconds. */
const maxWaiting = 32
const hashBytes = 32

interface Encoded {
  readonly cost: PasswordCost
  readonly salt: Uint8Array
  readonly hash: Uint8Array
}

const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url")

const encode = ({ cost: { logN, r, p }, salt, hash }: Encoded) =>
  `scrypt$${logN}$${r}$${p}$${base64url(salt)}$${base64url(hash)}`

const pattern = /^scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})$/

const decode = (text: string): Encoded | undefined => {
  const [, logN, r, p, salt = "", hash = ""] = pattern.exec(text) ?? []
  if (logN === undefined) return undefined
  return {
    cost: { logN: Number(logN), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, "base64url"),
    hash: Buffer.from(hash, "base64url"),
  }
}

const derive = (password: string, salt: Uint8Array, { logN, r, p }: PasswordCost) =>
  Effect.callback<Uint8Array>((resume) => {
    const N = 2 ** logN
    scrypt(password, salt, hashBytes, { N, r, p, maxmem: 256 * N * r }, (error, hash) =>
      resume(error === null ? Effect.succeed(hash) : Effect.die(error)),
    )
  })

export class PasswordHasher extends Context.Service<
  PasswordHasher,
  {
    readonly hash: (password: Redacted.Redacted) => Effect.Effect<string, AccessError>
    /** Whether it is the password that was hashed. Takes as long, and is false, where none was. */
    readonly verify: (
      password: Redacted.Redacted,
      encoded: string | null,
    ) => Effect.Effect<boolean, AccessError>
    /** Whether a hash costs something else than new ones do. */
    readonly isOutdated: (encoded: string) => boolean
  }
>()("@modelforge/core/access/PasswordHasher") {
  static readonly make = Effect.gen(function* () {
    const cost = yield* PasswordCost
    const permits = yield* Semaphore.make(maxAtOnce)
    const nobody: Encoded = { cost, salt: randomBytes(16), hash: randomBytes(hashBytes) }
    let count = 0

    const turn = <A>(work: Effect.Effect<A>) =>
      Effect.suspend(() => {
        if (count >= maxAtOnce + maxWaiting)
          return Effect.fail(new AccessError({ reason: new PasswordsBusy() }))
        count++
        // What has begun can't be stopped: it keeps its permit to its end.
        return Effect.ensuring(
          permits.withPermits(1)(Effect.uninterruptible(work)),
          Effect.sync(() => {
            count--
          }),
        )
      })

    /** The same letters typed on another keyboard are the same password. */
    const normal = (password: Redacted.Redacted) => Redacted.value(password).normalize("NFKC")

    return PasswordHasher.of({
      hash: (password) =>
        turn(
          Effect.suspend(() => {
            const salt = randomBytes(16)
            return Effect.map(derive(normal(password), salt, cost), (hash) => encode({ cost, salt, hash }))
          }),
        ),
      verify: (password, encoded) =>
        turn(
          Effect.suspend(() => {
            const stored = encoded === null ? undefined : decode(encoded)
            const { salt, cost, hash } = stored ?? nobody
            return Effect.map(
              derive(normal(password), salt, cost),
              (derived) => timingSafeEqual(derived, hash) && stored !== undefined,
            )
          }),
        ),
      isOutdated: (encoded) => {
        const stored = decode(encoded)?.cost
        return stored?.logN !== cost.logN || stored.r !== cost.r || stored.p !== cost.p
      },
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
