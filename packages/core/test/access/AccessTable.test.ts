import { assert, it } from "@effect/vitest"
import { DateTime, Deferred, Effect, Fiber, Layer, Option, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import { AccessChanges, type AccessSignal } from "../../src/access/AccessChanges.ts"
import { AccessError } from "../../src/access/AccessError.ts"
import { type AccessDelta, AccessStore } from "../../src/access/AccessStore.ts"
import { AccessTable } from "../../src/access/AccessTable.ts"
import { Email, User, UserId } from "../../src/model/User.ts"
import { StoreUnavailable } from "../../src/registry/RegistryError.ts"

const id = (number: number) => UserId.make(`00000000-0000-4000-8000-${String(number).padStart(12, "0")}`)
const user = (number: number) =>
  new User({
    id: id(number),
    email: Email.make(`user${number}@example.com`),
    name: "",
    role: "viewer",
    disabled: false,
    sessionEpoch: 1,
    createdAt: DateTime.makeUnsafe(0),
    lastLoginAt: null,
  })

const away = new AccessError({
  reason: new StoreUnavailable({ operation: "test", cause: new Error("the database is away") }),
})

/** A table on users that a test changes; they all are of the newest generation. */
const open = Effect.fnUntraced(function* (firstSignal: AccessSignal, isAway = false) {
  const stored = { generation: 1, numbers: [1], isAway, reads: 0 }
  const signals = yield* Queue.unbounded<AccessSignal>()
  Queue.offerUnsafe(signals, firstSignal)
  const store = Layer.mock(AccessStore, {
    changesSince: (since) =>
      Effect.suspend((): Effect.Effect<AccessDelta, AccessError> => {
        stored.reads++
        if (stored.isAway) return Effect.fail(away)
        const { generation } = stored
        const users = generation > since ? stored.numbers.map(user) : []
        const userIds = generation === since ? undefined : stored.numbers.map(id)
        return Effect.succeed({ generation, closed: true, keys: [], users, userIds })
      }),
  })
  const changes = Layer.succeed(AccessChanges, { signals: Stream.fromQueue(signals) })
  const context = yield* Layer.build(Layer.fresh(AccessTable.layer.pipe(Layer.provide([store, changes]))))
  const table = yield* Effect.provideContext(AccessTable, context)
  return { stored, table, signal: (signal: AccessSignal) => Queue.offer(signals, signal) }
})

const settled = TestClock.adjust(0)
const known = (table: AccessTable["Service"]) =>
  [1, 2, 3].filter((number) => table.user(id(number)) !== undefined)

it.effect("what is announced is read, and what nobody announced by a slow poll", () =>
  Effect.gen(function* () {
    const { stored, table, signal } = yield* open("Connected")
    assert.deepStrictEqual(known(table), [1])
    Object.assign(stored, { generation: 2, numbers: [1, 2] })
    yield* signal("Changed")
    yield* settled
    assert.deepStrictEqual(known(table), [1, 2])
    Object.assign(stored, { generation: 3, numbers: [2] })
    yield* settled
    assert.deepStrictEqual(known(table), [1, 2])
    yield* TestClock.adjust("31 seconds")
    assert.deepStrictEqual(known(table), [2])
  }),
)

it.effect("while the store is away what is known stays, and it is tried again until it works", () =>
  Effect.gen(function* () {
    const { stored, table, signal } = yield* open("Connected")
    stored.isAway = true
    yield* signal("Disconnected")
    yield* settled
    assert.isTrue(Option.isSome(table.outOfReachSince()))
    yield* signal("Connected")
    yield* TestClock.adjust("1 second")
    assert.isTrue(Option.isSome(table.outOfReachSince()))
    assert.deepStrictEqual(known(table), [1])
    Object.assign(stored, { generation: 2, numbers: [2], isAway: false })
    yield* TestClock.adjust("10 seconds")
    assert.deepStrictEqual(known(table), [2])
    assert.isTrue(Option.isNone(table.outOfReachSince()))
  }),
)

it.effect("a start without announcements reads all the same, and says that it hears nothing", () =>
  Effect.gen(function* () {
    const { table } = yield* open("Disconnected")
    assert.deepStrictEqual(known(table), [1])
    assert.isTrue(Option.isSome(table.outOfReachSince()))
    const error = yield* Effect.flip(open("Disconnected", true))
    assert.strictEqual(error.reason._tag, "StoreUnavailable")
  }),
)

it.effect("a database restored from an older copy is read from its beginning", () =>
  Effect.gen(function* () {
    const { stored, table, signal } = yield* open("Connected")
    Object.assign(stored, { generation: 9, numbers: [1, 2] })
    yield* signal("Changed")
    yield* settled
    Object.assign(stored, { generation: 5, numbers: [1, 3] })
    yield* signal("Connected")
    yield* settled
    assert.deepStrictEqual(known(table), [1, 3])
  }),
)

it.effect("a change goes on when its caller leaves, and is in force when it is done", () =>
  Effect.gen(function* () {
    const { table } = yield* open("Connected")
    const gate = yield* Deferred.make<void>()
    const changing = yield* Effect.forkChild(
      table.thenApply(Effect.as(Deferred.await(gate), user(3)), (user) => ({ user, removed: id(1) })),
    )
    yield* settled
    const leaving = yield* Effect.forkChild(Fiber.interrupt(changing))
    yield* settled
    assert.deepStrictEqual(known(table), [1])
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(leaving)
    assert.deepStrictEqual(known(table), [3])
    assert.strictEqual(
      yield* Effect.flip(table.thenApply(Effect.fail(away), () => ({ removed: id(3) }))),
      away,
    )
    assert.deepStrictEqual(known(table), [3])
  }),
)
