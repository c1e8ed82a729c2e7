import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { CommandFailed } from "../../src/command/CommandFailed.ts"
import { makePersistence } from "../../src/push/persistence.ts"
import { TryAgain } from "../../src/push/ServerRequests.ts"

const gone = new TryAgain({ detail: "No server answers", answered: false })
const busy = new TryAgain({ detail: "The server is busy", answered: true })

/** With what it tells, and when each attempt was made. */
const make = () => {
  const told: Array<string> = []
  const at: Array<number> = []
  const persistence = makePersistence((text) => Effect.sync(() => told.push(text)))
  /** Fails as told, one after the other; the last one again and again. */
  const attempt = (...failures: ReadonlyArray<TryAgain | CommandFailed | undefined>) =>
    Effect.gen(function* () {
      const failure = failures[Math.min(at.length, failures.length - 1)]
      at.push(yield* Clock.currentTimeMillis)
      return failure === undefined ? "done" : yield* failure
    })
  return { ...persistence, told, at, attempt }
}

/** Lets the time pass that it waits for. */
const run = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    yield* TestClock.adjust("1 hour")
    return yield* Fiber.await(fiber)
  })

const failure = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit)
    ? String(exit.cause.reasons.map((reason) => ("error" in reason ? reason.error : reason)))
    : ""

describe("persistence", () => {
  it.effect("repeats with growing pauses, and says so", () =>
    Effect.gen(function* () {
      const { persist, attempt, at, told } = make()
      const exit = yield* run(persist(attempt(busy, gone, busy, undefined)))
      assert.deepStrictEqual(exit, Exit.succeed("done"))
      assert.deepStrictEqual(at, [0, 500, 1500, 3500])
      assert.deepStrictEqual(told, [
        "The server is busy: trying again in 500ms",
        "No server answers: trying again in 1s",
        "The server is busy: trying again in 2s",
      ])
    }),
  )

  it.effect("comes back when the server said to", () =>
    Effect.gen(function* () {
      const { persist, attempt, at } = make()
      const later = new TryAgain({ detail: "Full", answered: true, afterMs: 60_000 })
      yield* run(persist(attempt(later, later, busy, undefined)))
      assert.deepStrictEqual(at, [0, 60_000, 120_000, 120_500])
    }),
  )

  it.effect("does not wait for a server that it never met", () =>
    Effect.gen(function* () {
      const { persist, attempt, at, told } = make()
      const exit = yield* run(persist(attempt(gone)))
      assert.include(failure(exit), "No server answers")
      assert.deepStrictEqual([at, told], [[0], []])
    }),
  )

  it.effect("gives up when nothing went on for five minutes", () =>
    Effect.gen(function* () {
      const { persist, attempt, at } = make()
      const exit = yield* run(persist(attempt(busy)))
      assert.match(failure(exit), /The server is busy: given up after 4m 3\ds/)
      assert.isBelow(at.at(-1) ?? 0, Duration.toMillis("5 minutes"))
    }),
  )

  it.effect("does not wait for longer than it would have patience for", () =>
    Effect.gen(function* () {
      const { persist, attempt, at } = make()
      const much = new TryAgain({ detail: "Full", answered: true, afterMs: 600_000 })
      assert.match(failure(yield* run(persist(attempt(much)))), /Full: given up/)
      assert.deepStrictEqual(at, [0])
    }),
  )

  it.effect("begins anew whenever something went on", () =>
    Effect.gen(function* () {
      const { persist, progressed, attempt, at } = make()
      const failures = Array.from({ length: 40 }, () => busy)
      const exit = yield* run(
        persist(
          Effect.tapError(attempt(...failures, undefined), () => {
            if (at.length % 4 === 0) progressed()
            return Effect.void
          }),
        ),
      )
      assert.deepStrictEqual(exit, Exit.succeed("done"))
      assert.strictEqual((at[4] ?? 0) - (at[3] ?? 0), 500)
    }),
  )

  it.effect("passes other failures on", () =>
    Effect.gen(function* () {
      const { persist, attempt, at } = make()
      const refused = new CommandFailed({ detail: "No" })
      assert.deepStrictEqual(yield* run(persist(attempt(refused))), Exit.fail(refused))
      assert.lengthOf(at, 1)
    }),
  )
})
