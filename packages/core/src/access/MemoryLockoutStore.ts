/** `LockoutStore` in the memory of one process. A restart forgets all failures. */
import { Clock, Effect, Layer } from "effect"
import { LockoutStore, type LockoutSubject, lockMs, lockoutRules } from "./LockoutStore.ts"

interface Failures {
  readonly count: number
  readonly lockedUntil: number
  readonly forgottenAt: number
}

const none: Failures = { count: 0, lockedUntil: 0, forgottenAt: 0 }

/** A map of bounded size: beyond it, what was set longest ago goes. */
class Recent<A> {
  readonly #most: number
  readonly #entries = new Map<string, A>()

  constructor(most: number) {
    this.#most = most
  }

  get(key: string): A | undefined {
    return this.#entries.get(key)
  }

  set(key: string, value: A): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > this.#most && oldest !== undefined) this.#entries.delete(oldest)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }
}

const { freeOfPair, freeOfOthers } = lockoutRules

const defaultEntries = 100_000

/** `mostEntries` bounds the counters, and the pairs remembered. Default: 100,000 of each. */
export const makeMemoryLockout = Effect.fnUntraced(function* (mostEntries = defaultEntries) {
  const clock = yield* Clock.Clock
  const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const failures = new Recent<Failures>(mostEntries)
  /** Until when. */
  const remembered = new Recent<number>(mostEntries)

  const find = (key: string): Failures => {
    const found = failures.get(key)
    return found === undefined || found.forgottenAt <= now() ? none : found
  }

  /** The counters beside the pair's that an attempt counts for, the pair having failed so often with it. */
  const others = ({ account, address }: LockoutSubject, failed: number): ReadonlyArray<string> => [
    ...(failed <= freeOfPair ? [account] : []),
    ...(address === undefined ? [] : [address]),
  ]

  const count = (key: string, free: number) => {
    const failed = find(key).count + 1
    failures.set(key, {
      count: failed,
      lockedUntil: now() + lockMs(failed, free),
      forgottenAt: now() + lockoutRules.forgottenAfterMs,
    })
  }

  const takeBack = (key: string, free: number) => {
    const { count, lockedUntil, forgottenAt } = find(key)
    if (count <= 1) failures.delete(key)
    else failures.set(key, { count: count - 1, lockedUntil: count - 1 < free ? 0 : lockedUntil, forgottenAt })
  }

  return LockoutStore.of({
    attempt: (subject) =>
      Effect.sync(() => {
        const { pair, account, address } = subject
        const isKnown = (remembered.get(pair) ?? 0) > now()
        const holding = isKnown ? [pair] : address === undefined ? [pair, account] : [pair, account, address]
        const wait = Math.max(0, ...holding.map((key) => find(key).lockedUntil - now()))
        if (wait > 0) return wait
        count(pair, freeOfPair)
        for (const key of others(subject, find(pair).count)) count(key, freeOfOthers)
        return 0
      }),
    settle: (subject, outcome) =>
      Effect.sync(() => {
        for (const key of others(subject, find(subject.pair).count)) takeBack(key, freeOfOthers)
        takeBack(subject.pair, freeOfPair)
        if (outcome === "withdrawn") return
        failures.delete(subject.pair)
        remembered.set(subject.pair, now() + lockoutRules.rememberedForMs)
      }),
  })
})

export const layerLockoutStoreMemory = Layer.effect(LockoutStore, makeMemoryLockout())
