import { assert, it } from "@effect/vitest"
import { DateTime, Deferred, Effect, Fiber, Layer, Option, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import { RegistryChanges } from "../../src/events/RegistryChanges.ts"
import { ModelName } from "../../src/model/Names.ts"
import type { VersionNumber } from "../../src/model/Version.ts"
import { RegistryStore } from "../../src/registry/RegistryStore.ts"
import { RoutingTable } from "../../src/registry/RoutingTable.ts"
import { digestOf, signature, storeDown } from "../fakes.ts"
import { digits, letters, open, openAfter, split } from "./routingFixture.ts"

it.effect("a route names the version, its bytes and its signature", () =>
  Effect.gen(function* () {
    const { table } = yield* open([digits, { versions: { 1: "ready" } }])
    assert.deepStrictEqual(Result.getOrThrow(table.resolve("digits")), {
      id: `digits/1/${digestOf("digits 1")}`,
      size: 100,
      config: { runLimitMs: 5 },
      model: digits,
      version: 1 as VersionNumber,
      digest: digestOf("digits 1"),
      signature,
      outputNames: ["y", "z"],
    })
  }),
)

it.effect("without a version: production, else the highest that is ready, else none", () =>
  Effect.gen(function* () {
    const versions = { 1: "ready", 9: "ready", 10: "ready", 11: "invalid", 12: "validating" } as const
    const { resolve, change, table } = yield* open([
      digits,
      { versions, aliases: { production: 9, canary: 1 } },
    ])
    assert.strictEqual(resolve("digits"), 9)
    change(digits, { versions, aliases: { canary: 1 } })
    yield* table.refresh(digits)
    assert.strictEqual(resolve("digits"), 10)
    change(digits, { versions: { 1: "invalid", 2: "validating", 3: "archived" } })
    yield* table.refresh(digits)
    assert.strictEqual(resolve("digits"), 'Model "digits" has no version that is ready')
  }),
)

it.effect("without a version: the split where there is one, by weight or by key", () =>
  Effect.gen(function* () {
    const versions = { 1: "ready", 2: "ready", 3: "archived" } as const
    const traffic = split(
      [
        ["production", 70],
        [2, 20],
        [3, 10],
      ],
      { sticky: "header:X-User" },
    )
    const { table, change, hear } = yield* open([digits, { versions, aliases: { production: 1 }, traffic }])
    const version = (key?: string) =>
      Number(Result.getOrThrow(table.resolve("digits", undefined, key)).version)
    const counts = new Map<number, number>()
    for (let i = 0; i < 9000; i++) counts.set(version(), (counts.get(version()) ?? 0) + 1)
    assert.deepStrictEqual(new Set(counts.keys()), new Set([1, 2]))
    for (const key of ["ada", "eve", "bob"]) assert.strictEqual(version(key), version(key))
    assert.strictEqual(table.stickyHeader("digits"), "x-user")
    assert.isUndefined(table.stickyHeader("letters"))
    // A version that is named is answered by that version.
    assert.strictEqual(Number(Result.getOrThrow(table.resolve("digits", "1", "ada")).version), 1)
    // Nothing of the split is ready: as if there were none.
    change(digits, { versions: { 1: "archived", 2: "archived", 4: "ready" }, traffic })
    yield* hear({ _tag: "Changed", models: [digits] })
    assert.strictEqual(version("ada"), 4)
  }),
)

it.effect("loads what a split names ahead, as what aliases point at", () =>
  Effect.gen(function* () {
    const { table } = yield* open([
      digits,
      {
        versions: { 1: "ready", 2: "ready", 3: "ready" },
        traffic: split([
          [1, 90],
          [3, 10],
        ]),
      },
    ])
    const seen: Array<number> = []
    yield* table.onChange(({ aliased }) => seen.push(aliased.size))
    assert.deepStrictEqual(seen, [2])
  }),
)

it.effect("a route is renewed as long as its version takes requests", () =>
  Effect.gen(function* () {
    const { table, change } = yield* open([digits, { versions: { 1: "ready", 2: "ready" } }])
    const route = Result.getOrThrow(table.resolve("digits", "1"))
    assert.strictEqual(table.renew(route), route)
    change(digits, { versions: { 1: "ready" } })
    yield* table.refresh(digits)
    assert.strictEqual(table.renew(route)?.id, route.id)
    assert.isUndefined(table.renew({ ...route, id: "digits/1/another" }))
    change(digits, { versions: { 1: "archived" } })
    yield* table.refresh(digits)
    assert.isUndefined(table.renew(route))
    assert.isUndefined(table.renew({ ...route, model: letters }))
  }),
)

it.effect("routes by a policy ahead of the store, until the store has another revision", () =>
  Effect.gen(function* () {
    const versions = { 1: "ready", 2: "ready" } as const
    const traffic = split([
      [1, 0],
      [2, 100],
    ])
    const { table, resolve, change } = yield* open([digits, { versions, traffic }])
    assert.strictEqual(resolve("digits"), 2)
    table.anticipate(digits, 7, split([[1, 100]]))
    assert.strictEqual(resolve("digits"), 2)
    table.anticipate(letters, 1, split([[1, 100]]))
    table.anticipate(digits, 1, split([[1, 100]]))
    assert.strictEqual(resolve("digits"), 1)
    // Something else of the model changes.
    change(digits, { versions: { ...versions, 3: "ready" }, traffic })
    yield* table.refresh(digits)
    assert.strictEqual(resolve("digits"), 1)
    change(digits, { versions, traffic: { ...traffic, revision: 2 } })
    yield* table.refresh(digits)
    assert.strictEqual(resolve("digits"), 2)
    // The revisions of a model that was deleted and made anew begin anew.
    change(digits, { versions, traffic })
    yield* table.refresh(digits)
    assert.strictEqual(resolve("digits"), 2)
  }),
)

it.effect("by number or alias, and nothing that looks like one", () =>
  Effect.gen(function* () {
    const { resolve } = yield* open([
      digits,
      { versions: { 1: "ready", 2: "ready" }, aliases: { production: 2, canary: 1, constructor: 1 } },
    ])
    assert.strictEqual(resolve("digits", "1"), 1)
    assert.strictEqual(resolve("digits", "canary"), 1)
    assert.strictEqual(resolve("digits", "production"), 2)
    assert.strictEqual(resolve("digits", "constructor"), 1)
    for (const version of ["3", "01", "1.0", " 1", "", "Canary", "toString", "__proto__"])
      assert.strictEqual(resolve("digits", version), `Model "digits" has no version "${version}"`)
    for (const model of ["Digits", "", "constructor"])
      assert.strictEqual(resolve(model), `There is no model "${model}"`)
  }),
)

it.effect("a version that exists but can't answer says why, also by its alias", () =>
  Effect.gen(function* () {
    const { resolve, table } = yield* open([
      digits,
      {
        versions: { 1: "invalid", 2: "validating", 3: "archived" },
        aliases: { old: 3 },
        reason: "unknown operator",
      },
    ])
    const failed = Result.getOrThrow(Result.flip(table.resolve("digits", "1")))
    assert.strictEqual(failed.reason._tag, "VersionUnavailable")
    assert.strictEqual(
      failed.message,
      'Version 1 of model "digits" is not ready, it is invalid: unknown operator',
    )
    assert.strictEqual(resolve("digits", "2"), 'Version 2 of model "digits" is not ready, it is validating')
    assert.strictEqual(resolve("digits", "old"), 'Version 3 of model "digits" is not ready, it is archived')
  }),
)

it.effect("lists models by name and the ready versions of each", () =>
  Effect.gen(function* () {
    const { table, stored } = yield* open(
      [letters, { versions: {} }],
      [digits, { versions: { 2: "ready", 10: "ready", 3: "invalid" } }],
    )
    assert.deepStrictEqual(table.models(), [digits, letters])
    assert.deepStrictEqual(
      table.readyVersions("digits")?.map(({ version }) => version),
      [2, 10] as ReadonlyArray<number>,
    )
    assert.deepStrictEqual(table.readyVersions("letters"), [])
    assert.isUndefined(table.readyVersions("numbers"))
    stored.delete(digits)
    yield* table.refresh(digits)
    assert.deepStrictEqual(table.models(), [letters])
    assert.isUndefined(table.readyVersions("digits"))
  }),
)

it.effect("at once and after every change listeners hear of all that can take requests", () =>
  Effect.gen(function* () {
    const { table, stored, change } = yield* open(
      [digits, { versions: { 1: "ready", 2: "invalid" }, aliases: { old: 1, bad: 2 } }],
      [letters, { versions: { 1: "ready" } }],
    )
    const heard: Array<{ readonly routes: ReadonlyArray<string>; readonly aliased: ReadonlyArray<string> }> =
      []
    const short = (id: string) => id.split("/").slice(0, 2).join("/")
    yield* table.onChange(({ routes, aliased }) => {
      for (const [id, route] of routes) assert.strictEqual(route.id, id)
      heard.push({ routes: [...routes.keys()].map(short), aliased: [...aliased].map(short) })
    })
    change(digits, { versions: { 1: "ready", 2: "ready" } })
    yield* table.refresh(digits)
    stored.delete(letters)
    yield* table.refresh(letters)
    assert.deepStrictEqual(heard, [
      { routes: ["digits/1", "letters/1"], aliased: ["digits/1"] },
      { routes: ["digits/1", "digits/2", "letters/1"], aliased: [] },
      { routes: ["digits/1", "digits/2"], aliased: [] },
    ])
  }),
)

it.effect("a slow read never overwrites what a later one found", () =>
  Effect.gen(function* () {
    const { table, resolve, reads, stored, change } = yield* open([digits, { versions: { 1: "ready" } }])
    const [begun, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const find = reads.find
    // The first read takes its answer from the store, and is slow to bring it.
    reads.find = (model) => {
      reads.find = find
      const answer = Option.fromUndefinedOr(stored.get(model))
      return Deferred.succeed(begun, undefined).pipe(Effect.andThen(Deferred.await(gate)), Effect.as(answer))
    }
    const slow = yield* Effect.forkChild(table.refresh(digits))
    yield* Deferred.await(begun)
    change(digits, { versions: { 1: "ready", 2: "ready" } })
    const fast = yield* Effect.forkChild(table.refresh(digits))
    yield* Effect.yieldNow
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(slow)
    yield* Fiber.join(fast)
    assert.strictEqual(resolve("digits"), 2)
  }),
)

it.effect("a read that fails leaves the old routes, and is repeated until it works", () =>
  Effect.gen(function* () {
    const { table, resolve, outage, change } = yield* open([digits, { versions: { 1: "ready" } }])
    change(digits, { versions: { 1: "ready", 2: "ready" } })
    outage.fail("findRoutes", 2)
    assert.strictEqual(yield* Effect.flip(table.refresh(digits)), storeDown)
    assert.strictEqual(resolve("digits"), 1)
    yield* TestClock.adjust("1 second")
    assert.strictEqual(resolve("digits"), 1)
    yield* TestClock.adjust("1 second")
    assert.strictEqual(resolve("digits"), 2)
  }),
)

it.effect("what others changed is read when it is heard of, and only that", () =>
  Effect.gen(function* () {
    const { hear, resolve, change, stored, reads, table } = yield* open(
      [digits, { versions: { 1: "ready" } }],
      [letters, { versions: { 1: "ready" } }],
    )
    const heard: Array<number> = []
    yield* table.onChange((routed) => heard.push(routed.routes.size))
    change(digits, { versions: { 1: "ready", 2: "ready" } })
    change(letters, { versions: { 1: "ready", 2: "ready" } })
    yield* hear({ _tag: "Changed", models: [digits] })
    assert.deepStrictEqual([resolve("digits"), resolve("letters")], [2, 1])
    stored.delete(letters)
    yield* hear({ _tag: "Changed", models: [letters, ModelName.make("gone")] })
    assert.strictEqual(resolve("letters"), 'There is no model "letters"')
    assert.deepStrictEqual([reads.all, heard], [1, [2, 3, 2]])
  }),
)

it.effect("of many models at once all are read in one go", () =>
  Effect.gen(function* () {
    const { hear, change, resolve, reads } = yield* open()
    const names = Array.from({ length: 21 }, (_, index) => ModelName.make(`model-${index}`))
    for (const name of names) change(name, { versions: { 3: "ready" } })
    reads.find = () => Effect.die("not one by one")
    yield* hear({ _tag: "Changed", models: names })
    for (const name of names) assert.strictEqual(resolve(name), 3)
    assert.strictEqual(reads.all, 2)
  }),
)

it.effect("whenever it is connected again everything is read, and what is gone is forgotten", () =>
  Effect.gen(function* () {
    const { hear, resolve, change, stored, table } = yield* open([digits, { versions: { 1: "ready" } }])
    const heard: Array<ReadonlyArray<string>> = []
    yield* table.onChange(({ routes }) => heard.push([...routes.values()].map(({ model }) => model)))
    yield* hear({ _tag: "Disconnected" })
    stored.delete(digits)
    change(letters, { versions: { 1: "ready" } })
    assert.strictEqual(resolve("digits"), 1)
    yield* hear({ _tag: "Connected" })
    assert.deepStrictEqual(table.models(), [letters])
    assert.deepStrictEqual(heard, [["digits"], ["letters"]])
  }),
)

it.effect("everything is read every 30 seconds, whatever is heard", () =>
  Effect.gen(function* () {
    const { resolve, change, outage } = yield* open([digits, { versions: { 1: "ready" } }])
    change(digits, { versions: { 1: "ready", 2: "ready" } })
    outage.fail("listRoutes", 1)
    yield* TestClock.adjust("30 seconds")
    assert.strictEqual(resolve("digits"), 1)
    yield* TestClock.adjust("29 seconds")
    assert.strictEqual(resolve("digits"), 1)
    yield* TestClock.adjust("1 second")
    assert.strictEqual(resolve("digits"), 2)
  }),
)

it.effect("says since when the registry is out of reach, until everything was read again", () =>
  Effect.gen(function* () {
    const { hear, table, outage, resolve } = yield* open([digits, { versions: { 1: "ready" } }])
    const since = () => Option.getOrUndefined(Option.map(table.outOfReachSince(), DateTime.toEpochMillis))
    yield* TestClock.adjust("5 seconds")
    assert.isUndefined(since())
    yield* hear({ _tag: "Disconnected" })
    assert.strictEqual(since(), 5000)
    outage.fail("listRoutes")
    // The timer's read fails, and a connection that does not last.
    yield* TestClock.adjust("30 seconds")
    yield* hear({ _tag: "Connected" })
    yield* hear({ _tag: "Disconnected" })
    assert.strictEqual(since(), 5000)
    assert.strictEqual(resolve("digits"), 1)
    outage.end()
    yield* hear({ _tag: "Connected" })
    assert.isUndefined(since())
  }),
)

it.effect("a read that fails is out of reach, too, until one works", () =>
  Effect.gen(function* () {
    const { table, outage } = yield* open([digits, { versions: { 1: "ready" } }])
    yield* TestClock.adjust("2 seconds")
    outage.fail("findRoutes", 1)
    yield* Effect.exit(table.refresh(digits))
    assert.deepStrictEqual(Option.map(table.outOfReachSince(), DateTime.toEpochMillis), Option.some(2000))
    yield* TestClock.adjust("1 second")
    assert.isTrue(Option.isNone(table.outOfReachSince()))
  }),
)

it.effect("opens with what can be read when changes can't be heard of, and reads again once they can", () =>
  Effect.gen(function* () {
    const { hear, resolve, change, reads } = yield* openAfter("Disconnected", [
      digits,
      { versions: { 1: "ready" } },
    ])
    assert.strictEqual(resolve("digits"), 1)
    change(digits, { versions: { 1: "ready", 2: "ready" } })
    yield* hear({ _tag: "Connected" })
    assert.strictEqual(resolve("digits"), 2)
    assert.strictEqual(reads.all, 2)
  }),
)

it.effect("does not open on routes that can't be read", () =>
  Effect.gen(function* () {
    const layerStore = Layer.mock(RegistryStore, { listRoutes: Effect.fail(storeDown) })
    for (const _tag of ["Connected", "Disconnected"] as const) {
      const layerChanges = Layer.succeed(RegistryChanges, {
        signals: Stream.concat(Stream.succeed({ _tag }), Stream.never),
      })
      const table = Layer.fresh(RoutingTable.layer).pipe(Layer.provide([layerStore, layerChanges]))
      assert.strictEqual(yield* Effect.flip(Layer.build(table)), storeDown)
    }
  }),
)

it.effect("what is read again and is the same stays the object it was, and is no change", () =>
  Effect.gen(function* () {
    const { hear, table, change } = yield* open(
      [digits, { versions: { 1: "ready" }, aliases: { production: 1 } }],
      [letters, { versions: { 1: "ready" } }],
    )
    let heard = 0
    yield* table.onChange(() => heard++)
    const route = Result.getOrThrow(table.resolve("digits"))
    for (const model of [digits, letters]) {
      const aliases = model === digits ? { production: 1 } : {}
      change(model, { versions: { 1: "ready" }, aliases })
    }
    yield* hear({ _tag: "Changed", models: [digits] })
    yield* hear({ _tag: "Connected" })
    assert.strictEqual(Result.getOrThrow(table.resolve("digits")), route)
    assert.strictEqual(heard, 1)
    change(letters, { versions: { 1: "ready" }, aliases: { production: 1 } })
    yield* hear({ _tag: "Connected" })
    assert.strictEqual(Result.getOrThrow(table.resolve("digits")), route)
    assert.strictEqual(heard, 2)
  }),
)
