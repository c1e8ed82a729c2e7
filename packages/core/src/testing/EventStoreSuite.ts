/** The behaviour of `EventStore` and `RegistryChanges`, beside the `RegistryStore` that writes to them. */
import { assert, type Vitest, layer as withLayer } from "@effect/vitest"
import { DateTime, Deferred, Effect, Fiber, type Layer, Option, Stream } from "effect"
import { Actor } from "../events/Actor.ts"
import { EventStore } from "../events/EventStore.ts"
import { RegistryChanges } from "../events/RegistryChanges.ts"
import type { ModelName } from "../model/Names.ts"
import { EventId, type RegistryEvent } from "../model/RegistryEvent.ts"
import { RegistryStore } from "../registry/RegistryStore.ts"
import {
  canary,
  draftOf,
  failsWith,
  freshName,
  outcome,
  production,
  v,
  withVersions,
} from "./RegistryStoreFixtures.ts"

type Needs = RegistryStore | EventStore | RegistryChanges

/** Every event after `after`, read in small pieces until all of `models` have theirs: others write to the store too. */
const readUntil = Effect.fnUntraced(function* (
  after: EventId | null,
  enough: (events: ReadonlyArray<RegistryEvent>) => boolean,
) {
  const store = yield* EventStore
  const events: Array<RegistryEvent> = []
  while (!enough(events)) {
    const page = yield* store.read(events.at(-1)?.id ?? after, 3)
    events.push(...page)
    if (page.length === 0) yield* Effect.yieldNow
  }
  return events
})

/** The newest event that can be read, or null for the beginning. */
const now = EventStore.use((store) => Effect.map(store.newest, Option.getOrNull))

const of = (model: ModelName) => (events: ReadonlyArray<RegistryEvent>) =>
  events.filter((event) => event.model === model)

const readingTests = (it: Vitest.MethodsNonLive<Needs>) => {
  it.effect("every change is an event with who, when, what, from and to; what changes nothing is none", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = freshName("events")
      const before = yield* now
      const began = yield* DateTime.now
      yield* store.insertModel({ name: model })
      yield* store.updateModel(model, { description: "new" })
      yield* store.setConfig(model, { instances: 2 })
      yield* store.insertVersion(draftOf(model, { alias: production, createdBy: "uploader" }))
      yield* store.insertVersion(
        draftOf(model, { state: "validating", alias: canary, createdBy: "uploader" }),
      )
      yield* store.settleVersion(model, v(2), { state: "ready" })
      yield* store.settleVersion(model, v(2), { state: "ready" })
      yield* store.setAlias(model, production, v(2))
      yield* store.setAlias(model, production, v(2))
      yield* store.deleteAlias(model, canary)
      yield* store.deleteAlias(model, canary)
      yield* store.setArchived(model, v(1), true)
      yield* store.setArchived(model, v(1), true)
      yield* store.setArchived(model, v(1), false)
      yield* store.describeVersion(model, v(1), "old")
      yield* store.deleteVersion(model, v(1))
      yield* failsWith("VersionConflict", store.deleteVersion(model, v(2)))
      yield* failsWith("ModelExists", store.insertModel({ name: model }))
      yield* store.deleteModel(model)
      const created = freshName("events")
      yield* store.insertVersion(draftOf(created, { createModel: true, createdBy: null }))
      yield* store.insertVersion(draftOf(created, { createModel: true, createdBy: null }))

      const all = yield* readUntil(before, (events) => of(created)(events).length === 3)
      const [ada, uploader] = ["ada", "uploader"]
      const state = (version: number, from: string | null, to: string | null) => ({
        type: "version.state",
        version,
        from,
        to,
      })
      const moved = (alias: string, from: number | null, to: number | null) => ({
        type: "alias.moved",
        alias,
        from,
        to,
      })
      assert.deepStrictEqual(
        of(model)(all).map(({ by, change }): unknown => [by, change]),
        [
          [ada, { type: "model.created" }],
          [ada, { type: "model.updated" }],
          [ada, { type: "model.configured" }],
          [uploader, state(1, null, "ready")],
          [uploader, moved("production", null, 1)],
          [uploader, state(2, null, "validating")],
          [uploader, state(2, "validating", "ready")],
          [uploader, moved("canary", null, 2)],
          [ada, moved("production", 1, 2)],
          [ada, moved("canary", 2, null)],
          [ada, state(1, "ready", "archived")],
          [ada, state(1, "archived", "ready")],
          [ada, { type: "version.described", version: 1 }],
          [ada, state(1, "ready", null)],
          [ada, { type: "model.deleted" }],
        ],
      )
      assert.deepStrictEqual(
        of(created)(all).map(({ by, change }): unknown => [by, change]),
        [
          [null, { type: "model.created" }],
          [null, state(1, null, "ready")],
          [null, state(2, null, "ready")],
        ],
      )
      // The clock of a database may differ a little.
      for (const { at } of of(model)(all))
        assert.isBelow(Math.abs(DateTime.toEpochMillis(at) - DateTime.toEpochMillis(began)), 60_000)
    }).pipe(Effect.provideService(Actor, "ada")),
  )

  it.effect("a reader that goes on from its last event misses none and sees none twice, whoever writes", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = freshName("order")
      const before = yield* now
      const rounds = 12
      const writing = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: rounds }),
          () =>
            Effect.all(
              [
                store.insertVersion(draftOf(model, { createModel: true, alias: production })),
                store.insertModel({ name: freshName("order") }),
              ],
              { concurrency: "unbounded" },
            ),
          { concurrency: 6 },
        ),
      )
      // While they are written: one for the model, and two for each version.
      const events = yield* readUntil(before, (events) => of(model)(events).length === 1 + 2 * rounds)
      yield* Fiber.join(writing)
      const ids = events.map(({ id }) => id)
      assert.strictEqual(new Set(ids).size, ids.length)
      const again = yield* readUntil(before, (all) => all.length >= events.length)
      assert.deepStrictEqual(
        again.slice(0, ids.length).map(({ id }) => id),
        ids,
      )
      // Of one model they come in the order in which they happened.
      const numbers = of(model)(events).flatMap(({ change }) =>
        change.type === "version.state" ? [Number(change.version)] : [],
      )
      assert.deepStrictEqual(
        numbers,
        Array.from({ length: rounds }, (_, index) => index + 1),
      )
    }),
  )

  it.effect("an event that is not there any more, or never was, is no place to go on from", () =>
    Effect.gen(function* () {
      const [store, events] = [yield* RegistryStore, yield* EventStore]
      const expired = (after: EventId) =>
        Effect.map(Effect.flip(events.read(after, 10)), (error) =>
          assert.strictEqual(error._tag, "EventsExpired"),
        )
      yield* expired(EventId.make("1-9223372036854775807"))
      const before = yield* now
      yield* store.insertModel({ name: freshName("prune") })
      const [first] = yield* readUntil(before, (all) => all.length > 0)
      yield* store.insertModel({ name: freshName("prune") })
      const [second] = yield* readUntil(first?.id ?? null, (all) => all.length > 0)
      assert.strictEqual(yield* events.prune({ count: 1_000_000, age: "1 day" }), 0)
      assert.isAbove(yield* events.prune({ count: 1, age: "1 day" }), 0)
      if (first) yield* expired(first.id)
      if (second) assert.deepStrictEqual(yield* events.read(second.id, 10), [])
      assert.deepStrictEqual(
        (yield* events.read(null, 10)).map(({ id }) => id),
        [second?.id],
      )
    }),
  )

  it.effect("old events are deleted by their age", () =>
    Effect.gen(function* () {
      const [store, events] = [yield* RegistryStore, yield* EventStore]
      const before = yield* now
      yield* store.insertModel({ name: freshName("age") })
      const [event] = yield* readUntil(before, (all) => all.length > 0)
      assert.isAbove(yield* events.prune({ count: 1_000_000, age: 0 }), 0)
      assert.deepStrictEqual(yield* events.read(null, 10), [])
      assert.isTrue(Option.isNone(yield* events.newest))
      if (event) assert.strictEqual((yield* Effect.flip(events.read(event.id, 10)))._tag, "EventsExpired")
    }),
  )
}

const changeTests = (it: Vitest.MethodsNonLive<Needs>) => {
  it.effect("once connected, every change names its model; a read after it finds it", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const { signals } = yield* RegistryChanges
      const model = yield* withVersions("heard", 2)
      const seen: Array<unknown> = []
      const changes = [
        store.updateModel(model, { description: "a" }),
        store.setAlias(model, production, v(1)),
        store.setAlias(model, production, v(2)),
        store.deleteAlias(model, production),
        store.deleteVersion(model, v(1)),
        store.deleteModel(model),
      ]
      let next = 0
      yield* signals.pipe(
        Stream.takeUntilEffect((signal) =>
          Effect.gen(function* () {
            if (signal._tag === "Changed" && !signal.models.includes(model)) return false
            seen.push(signal._tag)
            if (signal._tag === "Changed" && next === changes.length)
              assert.isTrue(Option.isNone(yield* store.findRoutes(model)))
            const change = changes[next++]
            if (change === undefined) return true
            yield* change
            return false
          }),
        ),
        Stream.runDrain,
      )
      assert.deepStrictEqual(seen, ["Connected", ...changes.map(() => "Changed")])
    }),
  )

  it.effect("every reader hears of every model that many change at once", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const { signals } = yield* RegistryChanges
      const names = Array.from({ length: 30 }, () => freshName("many"))
      const readers = yield* Effect.forEach([1, 2, 3], () =>
        Effect.gen(function* () {
          const connected = yield* Deferred.make<void>()
          const left = new Set(names)
          const reading = signals.pipe(
            Stream.tap((signal) => {
              if (signal._tag === "Changed") for (const model of signal.models) left.delete(model)
              return Deferred.succeed(connected, undefined)
            }),
            Stream.takeUntil(() => left.size === 0),
            Stream.runDrain,
          )
          const fiber = yield* Effect.forkChild(reading)
          yield* Deferred.await(connected)
          return fiber
        }),
      )
      yield* Effect.forEach(names, (name) => outcome(store.insertModel({ name })), {
        concurrency: "unbounded",
      })
      yield* Effect.forEach(readers, (reader) => Fiber.join(reader))
    }),
  )
}

/** Registers the tests; call it at the top of a test file. They prune the log, so the database must be the suite's own. */
export const suite = <E>(name: string, storeLayer: Layer.Layer<Needs, E>) =>
  withLayer(storeLayer, { timeout: "60 seconds", excludeTestServices: true })(
    `EventStore (${name})`,
    (it) => {
      readingTests(it)
      changeTests(it)
    },
  )
