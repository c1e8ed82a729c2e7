/** `RateLimitStore` in the memory of one process, for servers in one process. */
import { Clock, Effect, Layer } from "effect"
import { type LimitClock, LimitCounter } from "./LimitCounter.ts"
import { RateLimitStore } from "./RateLimitStore.ts"

/** The clocks of the fiber that asks, to be read by plain code. */
export const limitClock: Effect.Effect<LimitClock> = Effect.map(Clock.Clock, (clock) => ({
  elapsed: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
  date: () => clock.currentTimeMillisUnsafe(),
}))

const make = Effect.gen(function* () {
  const clock = yield* limitClock
  const counters = new Map<string, LimitCounter>()
  return RateLimitStore.of({
    take: ({ subject, limits, wanted, unused }) =>
      Effect.sync(() => {
        const counter = counters.get(subject) ?? new LimitCounter(clock, 1)
        counters.set(subject, counter)
        if (unused !== undefined) counter.takeBack(limits, unused.stamp, unused.requests)
        const granted = Math.min(wanted, counter.remaining(limits))
        counter.add(limits, granted)
        return {
          granted,
          stamp: clock.elapsed(),
          rate: counter.rate(limits),
          quota: counter.quota(limits),
        }
      }),
  })
})

export const layerRateLimitStoreMemory = Layer.effect(RateLimitStore, make)
