import { assert, it } from "@effect/vitest"
import { EventStore, ModelName, RegistryChanges, type RegistrySignal, RegistryStore } from "@modelforge/core"
import { Context, Deferred, Effect, Fiber, Layer, Option, Queue, type Redacted, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { makeEventStatements } from "../src/eventStatements.ts"
import { layer } from "../src/PostgresStores.ts"
import { administer, freshDatabase, testServer } from "./TestPostgres.ts"

const server = testServer()
const [digits, letters] = [ModelName.make("digits"), ModelName.make("letters")]

/** The stores with a pool of their own, as another process would have them. */
const open = (url: Redacted.Redacted, applicationName: string) =>
  Effect.map(Layer.build(Layer.fresh(layer({ url, applicationName }))), (context) => ({
    store: Context.get(context, RegistryStore),
    events: Context.get(context, EventStore),
    changes: Context.get(context, RegistryChanges),
    sql: Context.get(context, SqlClient.SqlClient),
  }))

/** Takes one signal after another. */
const listen = Effect.fnUntraced(function* ({ signals }: RegistryChanges["Service"]) {
  const queue = yield* Queue.unbounded<RegistrySignal>()
  yield* Effect.forkScoped(Stream.runForEach(signals, (signal) => Queue.offer(queue, signal)))
  return Effect.timeout(Queue.take(queue), "30 seconds")
})

it.live("what another process changes is heard, with the model's name", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    const [one, two] = [yield* open(url, "one"), yield* open(url, "two")]
    const take = yield* listen(two.changes)
    assert.deepStrictEqual(yield* take, { _tag: "Connected" })
    yield* one.store.insertModel({ name: digits })
    assert.deepStrictEqual(yield* take, { _tag: "Changed", models: [digits] })
  }).pipe(Effect.scoped),
)

it.live("a lost connection is made again, and says so: what was changed meanwhile has to be read", () =>
  Effect.gen(function* () {
    const postgres = yield* server
    const url = yield* freshDatabase(postgres)
    const [one, two] = [yield* open(url, "one"), yield* open(url, "lost")]
    const [{ name: database } = { name: "" }] = yield* one.sql<{ name: string }>`
      SELECT current_database() AS name
    `
    const allowConnections = (allow: boolean) =>
      administer(postgres, `ALTER DATABASE ${database} WITH ALLOW_CONNECTIONS ${allow}`)
    const take = yield* listen(two.changes)
    assert.deepStrictEqual(yield* take, { _tag: "Connected" })
    for (const name of [digits, letters]) {
      yield* allowConnections(false)
      yield* administer(
        postgres,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'lost'",
      )
      assert.deepStrictEqual(yield* take, { _tag: "Disconnected" })
      yield* one.store.insertModel({ name })
      // Several attempts long, none of which is worth a signal: 0.1, 0.2, 0.4 seconds.
      assert.isTrue(Option.isNone(yield* Effect.timeoutOption(Effect.exit(take), "600 millis")))
      yield* allowConnections(true)
      assert.deepStrictEqual(yield* take, { _tag: "Connected" })
      assert.isTrue(Option.isSome(yield* two.store.findRoutes(name)))
    }
    yield* one.store.updateModel(digits, { description: "heard again" })
    assert.deepStrictEqual(yield* take, { _tag: "Changed", models: [digits] })
  }).pipe(Effect.scoped),
)

it.live("an older transaction that still runs holds up the log, not what is heard of changes", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    const [one, two] = [yield* open(url, "one"), yield* open(url, "two")]
    yield* one.store.insertModel({ name: digits })
    const take = yield* listen(two.changes)
    assert.deepStrictEqual(yield* take, { _tag: "Connected" })
    const names = (count: number) =>
      two.events.read(null, 10).pipe(
        Effect.repeat({ until: (events) => events.length === count }),
        Effect.map((events) => events.map(({ model, change }) => `${model} ${change.type}`)),
      )
    yield* names(1)
    const [begun, end] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    // Has its number, and its event, before the other one; and commits after it. By hand, because a change of the
    // registry would hold the audit log as well.
    const slow = yield* makeEventStatements(one.sql)
      .append(digits, null, { type: "model.updated" })
      .pipe(
        Effect.andThen(Deferred.succeed(begun, undefined)),
        Effect.andThen(Deferred.await(end)),
        one.sql.withTransaction,
        Effect.forkChild,
      )
    yield* Deferred.await(begun)
    yield* one.store.insertModel({ name: letters })
    assert.deepStrictEqual(yield* take, { _tag: "Changed", models: [letters] })
    assert.deepStrictEqual(yield* names(1), ["digits model.created"])
    yield* Deferred.succeed(end, undefined)
    yield* Fiber.join(slow)
    // The one heard of already is not named again.
    assert.deepStrictEqual(yield* take, { _tag: "Changed", models: [digits] })
    assert.deepStrictEqual(yield* names(3), [
      "digits model.created",
      "digits model.updated",
      "letters model.created",
    ])
  }).pipe(Effect.scoped),
)

it.live("a change that is rolled back is neither heard nor in the log", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    const { store, events, changes, sql } = yield* open(url, "one")
    const take = yield* listen(changes)
    assert.deepStrictEqual(yield* take, { _tag: "Connected" })
    yield* store
      .insertModel({ name: digits })
      .pipe(Effect.andThen(Effect.fail("changed my mind")), sql.withTransaction, Effect.flip)
    yield* store.insertModel({ name: letters })
    assert.deepStrictEqual(yield* take, { _tag: "Changed", models: [letters] })
    assert.deepStrictEqual(
      (yield* Effect.repeat(events.read(null, 10), { until: (all) => all.length > 0 })).map(
        ({ model }) => model,
      ),
      [letters],
    )
  }).pipe(Effect.scoped),
)
