import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { vi } from "vitest"
import { type StopSignal, stopSignal } from "../src/stopSignal.ts"

const signals = ["SIGINT", "SIGTERM"] as const

/** Handlers that were there before: the test runner's. */
let before: Readonly<Record<StopSignal, ReadonlyArray<NodeJS.SignalsListener>>>
let now = 0

beforeEach(() => {
  before = { SIGINT: process.listeners("SIGINT"), SIGTERM: process.listeners("SIGTERM") }
  vi.spyOn(performance, "now").mockImplementation(() => now)
})

const added = (signal: StopSignal) =>
  process.listeners(signal).filter((listener) => !before[signal].includes(listener))

afterEach(() => {
  vi.restoreAllMocks()
  for (const signal of signals) for (const listener of added(signal)) process.off(signal, listener)
})

/** As the process would get it, without the test runner. */
const deliver = (signal: StopSignal, at: number) => {
  now = at
  for (const listener of added(signal)) listener(signal)
}

const waiting = Effect.gen(function* () {
  const second: Array<StopSignal> = []
  const first = yield* Effect.forkChild(
    stopSignal((signal) => second.push(signal)),
    { startImmediately: true },
  )
  return { first, second }
})

describe("stopSignal", () => {
  for (const signal of signals)
    it.effect(`gives ${signal} when it comes first`, () =>
      Effect.gen(function* () {
        const { first } = yield* waiting
        deliver(signal, 0)
        assert.strictEqual(yield* Fiber.join(first), signal)
      }),
    )

  it.effect("takes what comes within a second for the same wish", () =>
    Effect.gen(function* () {
      const { first, second } = yield* waiting
      deliver("SIGINT", 5000)
      deliver("SIGINT", 5001)
      deliver("SIGTERM", 6000)
      assert.strictEqual(yield* Fiber.join(first), "SIGINT")
      assert.deepStrictEqual(second, [])
    }),
  )

  it.effect("leaves it to its caller what a later one means", () =>
    Effect.gen(function* () {
      const { first, second } = yield* waiting
      deliver("SIGTERM", 5000)
      deliver("SIGINT", 6001)
      assert.strictEqual(yield* Fiber.join(first), "SIGTERM")
      assert.deepStrictEqual(second, ["SIGINT"])
    }),
  )
})
