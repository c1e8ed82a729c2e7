import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { ThreadPool } from "../../src/node/ThreadPool.ts"

const { signal } = new AbortController()

const open = (threads: number) =>
  Effect.acquireRelease(
    Effect.sync(
      () => new ThreadPool({ entry: new URL("./echoThread.ts", import.meta.url), threads, execArgv: [] }),
    ),
    (pool) => Effect.promise(() => pool.close()),
  )

const run = (pool: ThreadPool, value: unknown) =>
  pool.run({ value, transfer: [] }, signal).catch((error: unknown) => String(error))

it.effect("a thread does one job after the other, in the order they came", () =>
  Effect.gen(function* () {
    const pool = yield* open(1)
    const jobs = ["a", "b", "c"].map((value) => run(pool, value))
    assert.deepStrictEqual(yield* Effect.promise(() => Promise.all(jobs)), ["a 1", "b 2", "c 3"])
    assert.strictEqual(yield* Effect.promise(() => run(pool, "d")), "d 4")
  }),
)

it.effect("no more threads start than may", () =>
  Effect.gen(function* () {
    const pool = yield* open(2)
    const jobs = Array.from({ length: 8 }, () => run(pool, "x"))
    const counts = (yield* Effect.promise(() => Promise.all(jobs))).map((reply) =>
      Number(String(reply).slice(2)),
    )
    // Each counts by itself what it did.
    assert.isAtMost(counts.filter((count) => count === 1).length, 2)
    assert.isAtLeast(Math.max(...counts), 4)
  }),
)

it.effect("a thread that ends, or throws, fails the job it was at; the next has another", () =>
  Effect.gen(function* () {
    const pool = yield* open(1)
    const jobs = ["a", "exit", "b", "throw", "c", "fail", "d"].map((value) => run(pool, value))
    assert.deepStrictEqual(yield* Effect.promise(() => Promise.all(jobs)), [
      "a 1",
      "Error: a thread ended at work, with code 3",
      "b 1",
      "Error: thrown",
      "c 1",
      "Error: failed",
      "d 2",
    ])
  }),
)

it.effect("a message that can't be sent fails its job only", () =>
  Effect.gen(function* () {
    const pool = yield* open(1)
    assert.match(String(yield* Effect.promise(() => run(pool, () => {}))), /could not be cloned/)
    assert.strictEqual(yield* Effect.promise(() => run(pool, "a")), "a 1")
  }),
)
