/**
 * How many requests each caller may make: by the rate of its key, by the quota of its key, and by the server's own rate for
 * whoever has none. Synchronous, but where a store that servers share has to be asked. Plain code: requests pass here.
 */
import { Context, Effect, Layer, Result } from "effect"
import { ForgeConfig } from "../ForgeConfig.ts"
import { withoutStack } from "../inference/withoutStack.ts"
import { CircuitBreaker } from "./CircuitBreaker.ts"
import { FailedCredentials } from "./FailedCredentials.ts"
import type { Identity } from "./Identity.ts"
import { LimitCounter } from "./LimitCounter.ts"
import { limitClock } from "./MemoryRateLimitStore.ts"
import { type Allowance, RateLimited } from "./RateLimited.ts"
import { type Limits, type RateLimitAsk, RateLimitStore } from "./RateLimitStore.ts"
import { type Decision, decideAlone, SharedLimits } from "./SharedLimits.ts"

/** Where the caller's limits stand, undefined when it has none; or that it has made as many requests as it may. */
export type Taken = Result.Result<Allowance | undefined, RateLimited>

const unlimited: Taken = Result.succeed(undefined)

const takenOf = ({ isAllowed, allowance }: Decision): Taken =>
  isAllowed ? Result.succeed(allowance) : withoutStack(() => Result.fail(new RateLimited({ allowance })))

/** The requests of one caller. */
interface Account {
  readonly limits: Limits
  readonly take: () => Decision | Promise<Decision>
  readonly isIdle: () => boolean
  readonly close: () => Promise<void>
}

const isSame = (one: Limits, other: Limits): boolean =>
  one === other ||
  (one.rate?.requests === other.rate?.requests &&
    one.rate?.seconds === other.rate?.seconds &&
    one.quota?.requests === other.quota?.requests &&
    one.quota?.period === other.quota?.period)

/** From so many accounts on, those that are idle are looked for. */
const fewAccounts = 1024

export class RateLimits extends Context.Service<
  RateLimits,
  {
    /**
     * Counts one request of a caller. To be asked once it is known who asks, and before a body is read. A promise, which
     * never rejects, only where the store has to be asked. Owners and those who said nothing of who they are have no
     * limits.
     */
    readonly take: (identity: Identity) => Taken | Promise<Taken>
    /**
     * Counts a request whose credentials were refused. Gives the seconds until the address should come back when it has
     * had too many; else undefined. Right credentials from the same address are never refused for others' wrong ones.
     */
    readonly credentialsRefused: (address: string | undefined) => number | undefined
  }
>()("@modelforge/core/access/RateLimits") {
  /** While `store` does not answer, and where there is none, this process counts by itself. */
  static readonly make = Effect.fnUntraced(function* (store?: RateLimitStore["Service"]) {
    const { rateLimit } = yield* ForgeConfig
    const clock = yield* limitClock
    const context = yield* Effect.context<never>()
    const breaker = new CircuitBreaker(clock.elapsed)
    const failed = new FailedCredentials(clock.elapsed)
    const accounts = new Map<string, Account>()
    let sweepAt = fewAccounts

    const guarded = (shared: RateLimitStore["Service"], request: RateLimitAsk) =>
      shared.take(request).pipe(
        Effect.tap(() => Effect.sync(() => breaker.succeeded())),
        Effect.tapError((error) =>
          breaker.failed()
            ? Effect.logWarning("Rate limits are kept by each server alone for now", error.cause)
            : Effect.void,
        ),
      )

    const open = (subject: string, limits: Limits): Account => {
      const counter = new LimitCounter(clock)
      if (store === undefined)
        return {
          limits,
          take: () => decideAlone(counter, limits),
          isIdle: () => counter.isIdle,
          close: () => Promise.resolve(),
        }
      const ask = (request: RateLimitAsk) => Effect.runPromiseWith(context)(guarded(store, request))
      const shared = new SharedLimits({ subject, limits }, counter, clock, ask, breaker)
      return { limits, take: () => shared.take(), isIdle: () => shared.isIdle, close: () => shared.close() }
    }

    const sweep = () => {
      for (const [subject, account] of accounts) if (account.isIdle()) accounts.delete(subject)
      sweepAt = Math.max(fewAccounts, 2 * accounts.size)
    }

    const accountOf = (subject: string, limits: Limits): Account => {
      const found = accounts.get(subject)
      if (found !== undefined && isSame(found.limits, limits)) return found
      if (accounts.size >= sweepAt) sweep()
      const account = open(subject, limits)
      accounts.set(subject, account)
      return account
    }

    const takeOf = (subject: string, limits: Limits): Taken | Promise<Taken> => {
      if (limits.rate === null && limits.quota === null) return unlimited
      const decision = accountOf(subject, limits).take()
      return decision instanceof Promise ? decision.then(takenOf) : takenOf(decision)
    }

    const forAll: Limits = { rate: rateLimit, quota: null }

    yield* Effect.addFinalizer(() =>
      Effect.promise(() => Promise.all([...accounts.values()].map((account) => account.close()))),
    )

    return RateLimits.of({
      take: (identity) => {
        switch (identity._tag) {
          case "Owner":
          case "Anonymous":
            return unlimited
          case "Open":
            return takeOf("open", forAll)
          case "User":
            return takeOf(`user:${identity.user.id}`, forAll)
          case "Key": {
            const { id, rateLimit: rate, quota } = identity.key
            return takeOf(`key:${id}`, { rate: rate ?? forAll.rate, quota })
          }
        }
      },
      credentialsRefused: (address) => (address === undefined ? undefined : failed.count(address)),
    })
  })

  /** For a server that stands alone: a restart forgets what was counted, and quotas begin anew. */
  static readonly layer = Layer.effect(this, this.make())

  /** Limits that hold for all servers on one store together. */
  static readonly layerShared = Layer.effect(
    this,
    Effect.flatMap(RateLimitStore, (store) => this.make(store)),
  )
}
