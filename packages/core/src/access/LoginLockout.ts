/**
 * Makes guessing passwords slow, without a way to shut others out. Failures are counted for an account from one address:
 * whoever fails on purpose locks the account for himself only. Two wider counters stop guesses that come from many
 * addresses or go to many accounts; they do not hold for an account from an address where it signed in before. Accounts
 * that do not exist are counted like others, so that nothing can be told from a lock.
 */
import { createHash } from "node:crypto"
import { Clock, Context, Effect, Layer, Schema } from "effect"
import { CircuitBreaker } from "./CircuitBreaker.ts"
import { addressGroup } from "./IpAddress.ts"
import { LockoutStore, type LockoutSubject } from "./LockoutStore.ts"
import { makeMemoryLockout } from "./MemoryLockoutStore.ts"
import type { SharedStoreUnavailable } from "./SharedStoreUnavailable.ts"

/** Too many attempts failed. Says the same whether or not there is such an account. */
export class LockedOut extends Schema.TaggedError<LockedOut>()("LockedOut", {
  retryAfterSeconds: Schema.Int,
}) {
  override get message() {
    return `Too many attempts to sign in failed: try again in ${this.retryAfterSeconds} seconds`
  }
}

export interface LoginAttempt {
  /** The password was right. */
  readonly succeeded: Effect.Effect<void>
  /** Nobody found out whether it was: the attempt does not count. */
  readonly withdrawn: Effect.Effect<void>
}

export interface LoginSubject {
  /** What was sent, whether or not there is such an account. */
  readonly email: string
  /** The client's; undefined where it is not known to be the person's own, as that of a dashboard's server is not. */
  readonly address: string | undefined
}

const subjectOf = ({ email, address }: LoginSubject): LockoutSubject => {
  // Stores may be others' to read: they get no names and no addresses, and texts of one length.
  const digest = (...parts: ReadonlyArray<string>) =>
    createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 22)
  const account = email.trim().toLowerCase()
  const group = address === undefined ? undefined : addressGroup(address)
  return {
    pair: digest("pair", account, group ?? ""),
    account: digest("account", account),
    address: group === undefined ? undefined : digest("address", group),
  }
}

export class LoginLockout extends Context.Service<
  LoginLockout,
  {
    /**
     * To be asked before a password is looked at. Counts as failed until one of its outcomes is run: of attempts at once
     * none slips through.
     */
    readonly attempt: (who: LoginSubject) => Effect.Effect<LoginAttempt, LockedOut>
  }
>()("@modelforge/core/access/LoginLockout") {
  /** While `shared` does not answer, and where there is none, this process counts by itself. */
  static readonly make = Effect.fnUntraced(function* (shared?: LockoutStore["Service"]) {
    const clock = yield* Clock.Clock
    const own = yield* makeMemoryLockout()
    const breaker = new CircuitBreaker(() => Number(clock.monotonicTimeNanosUnsafe()) / 1e6)

    const ask = <A>(work: (store: LockoutStore["Service"]) => Effect.Effect<A, SharedStoreUnavailable>) =>
      Effect.suspend(() => {
        const byOwn = Effect.orDie(work(own))
        if (shared === undefined || !breaker.admits) return byOwn
        return work(shared).pipe(
          Effect.tap(() => Effect.sync(() => breaker.succeeded())),
          Effect.catch((error) =>
            breaker.failed()
              ? Effect.andThen(
                  Effect.logWarning("Failed logins are counted by this server alone for now", error.cause),
                  byOwn,
                )
              : byOwn,
          ),
        )
      })

    return LoginLockout.of({
      attempt: Effect.fn("LoginLockout.attempt")(function* (who) {
        const subject = subjectOf(who)
        const waitMs = yield* ask((store) => store.attempt(subject))
        if (waitMs > 0)
          return yield* Effect.fail(new LockedOut({ retryAfterSeconds: Math.ceil(waitMs / 1000) }))
        return {
          succeeded: ask((store) => store.settle(subject, "succeeded")),
          withdrawn: ask((store) => store.settle(subject, "withdrawn")),
        }
      }),
    })
  })

  /** For a server that stands alone. */
  static readonly layer = Layer.effect(this, this.make())

  /** Shared by all servers on one store. */
  static readonly layerShared = Layer.effect(
    this,
    Effect.flatMap(LockoutStore, (store) => this.make(store)),
  )
}
