import { assert, it } from "@effect/vitest"
import { ModelExists, RegistryError } from "@modelforge/core"
import { Effect, Fiber, Ref } from "effect"
import { SqlError } from "effect/sql"
import { TestClock } from "effect/testing"
import { read, write } from "../src/registryOperation.ts"

const connectionLost = new SqlError.SqlError({
  reason: new SqlError.ConnectionError({ cause: new Error("postgres://user:secret@host is gone") }),
})
const tooSlow = new SqlError.SqlError({
  reason: new SqlError.StatementTimeoutError({ cause: new Error("canceling statement") }),
})

/** Fails that often, then succeeds; with how often it ran. */
const flaky = (failures: number, error: SqlError.SqlError) =>
  Effect.map(Ref.make(0), (runs) => ({
    runs: Ref.get(runs),
    effect: Effect.flatMap(
      Ref.updateAndGet(runs, (n) => n + 1),
      (n) => (n <= failures ? Effect.fail(error) : Effect.succeed("done")),
    ),
  }))

it.effect("a read is tried four times when the connection is lost", () =>
  Effect.gen(function* () {
    const three = yield* flaky(3, connectionLost)
    const fiber = yield* Effect.forkChild(read("findModel")(three.effect))
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* Fiber.join(fiber), "done")
    const four = yield* flaky(4, connectionLost)
    const failing = yield* Effect.forkChild(Effect.flip(read("findModel")(four.effect)))
    yield* TestClock.adjust("1 second")
    const error = yield* Fiber.join(failing)
    assert.deepInclude(error.reason, {
      _tag: "StoreUnavailable",
      operation: "findModel",
      cause: connectionLost,
    })
    assert.notInclude(error.message, "secret")
    assert.strictEqual(yield* four.runs, 4)
  }),
)

it.effect("a read that ran into the statement timeout is not tried again", () =>
  Effect.gen(function* () {
    const once = yield* flaky(1, tooSlow)
    const error = yield* Effect.flip(read("listModels")(once.effect))
    assert.strictEqual(error.reason._tag, "StoreUnavailable")
    assert.strictEqual(yield* once.runs, 1)
  }),
)

it.effect("a change is never tried again", () =>
  Effect.gen(function* () {
    const once = yield* flaky(1, connectionLost)
    const error = yield* Effect.flip(write("insertModel")(once.effect))
    assert.strictEqual(error.reason._tag, "StoreUnavailable")
    assert.strictEqual(yield* once.runs, 1)
  }),
)

it.effect("an outcome of the domain passes through", () =>
  Effect.gen(function* () {
    const exists = new RegistryError({ reason: new ModelExists({ model: "digits" }) })
    assert.strictEqual(yield* Effect.flip(read("x")(Effect.fail(exists))), exists)
  }),
)

it.effect("a server that never answers is StoreUnavailable after 15 seconds", () =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.flip(read("findModel")(Effect.never)))
    yield* TestClock.adjust("14900 millis")
    assert.isUndefined(fiber.pollUnsafe())
    yield* TestClock.adjust("100 millis")
    assert.strictEqual((yield* Fiber.join(fiber)).reason._tag, "StoreUnavailable")
  }),
)
