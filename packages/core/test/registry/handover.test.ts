/** Aliases and policies that move to versions which are not in memory yet. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import { type Draft, digits, letters, open, settled, split } from "./routingFixture.ts"

const versions = { 1: "ready", 2: "ready", 3: "ready" } as const

/** Versions of `digits` in memory, by number; the rest is being loaded as soon as something points at it. */
const openWith = Effect.fnUntraced(function* (serving: ReadonlyArray<number>, draft: Draft) {
  const opened = yield* open([digits, draft])
  const numberOf = (id: string) => Number(id.split("/")[1])
  const loads = new Map<number, PromiseWithResolvers<void>>()
  const loaded = new Set(serving)
  yield* opened.table.handOverBy({
    serves: (id) => loaded.has(numberOf(id)),
    loading: (id) => {
      const version = numberOf(id)
      if (loaded.has(version)) return undefined
      const load = loads.get(version) ?? Promise.withResolvers<void>()
      loads.set(version, load)
      return load.promise
    },
  })
  /** Ends the load of a version; what follows from it has followed. */
  const loadEnds = (version: number, failure?: Error) =>
    Effect.andThen(
      Effect.sync(() => {
        const load = loads.get(version)
        if (failure !== undefined) load?.reject(failure)
        else {
          loaded.add(version)
          load?.resolve()
        }
      }),
      Effect.andThen(
        Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve))),
        settled,
      ),
    )
  const move = (next: Draft) =>
    Effect.andThen(
      Effect.sync(() => opened.change(digits, next)),
      opened.table.refresh(digits),
    )
  return { ...opened, loadEnds, move }
})

it.effect("an alias answers with the old version until the new one is loaded", () =>
  Effect.gen(function* () {
    const { resolve, loadEnds, move, table } = yield* openWith([1], { versions, aliases: { production: 1 } })
    yield* move({ versions, aliases: { production: 2, canary: 2 } })
    assert.deepStrictEqual([resolve("digits"), resolve("digits", "production")], [1, 1])
    // By its number, and by an alias that is new, whoever asks waits for the load.
    assert.deepStrictEqual([resolve("digits", "2"), resolve("digits", "canary")], [2, 2])
    yield* loadEnds(2)
    assert.deepStrictEqual([resolve("digits"), resolve("digits", "production")], [2, 2])
    assert.isDefined(table.readyVersions("digits"))
  }),
)

it.effect("a split goes on as it was until all it names is loaded", () =>
  Effect.gen(function* () {
    const { resolve, loadEnds, move } = yield* openWith([1], { versions, aliases: { production: 1 } })
    const traffic = split([
      [2, 50],
      [3, 50],
    ])
    yield* move({ versions, aliases: { production: 1 }, traffic })
    assert.strictEqual(resolve("digits"), 1)
    yield* loadEnds(2)
    assert.strictEqual(resolve("digits"), 1)
    yield* loadEnds(3)
    assert.include([2, 3], resolve("digits"))
  }),
)

it.effect("the first alias of a model leaves requests where they went until its version is loaded", () =>
  Effect.gen(function* () {
    const { resolve, loadEnds, move } = yield* openWith([3], { versions })
    yield* move({ versions, aliases: { production: 1 } })
    assert.strictEqual(resolve("digits"), 3)
    yield* loadEnds(1)
    assert.strictEqual(resolve("digits"), 1)
  }),
)

it.effect("a load that fails ends the wait: the registry's word is followed", () =>
  Effect.gen(function* () {
    const { resolve, loadEnds, move } = yield* openWith([1], { versions, aliases: { production: 1 } })
    yield* move({ versions, aliases: { production: 2 } })
    yield* loadEnds(2, new Error("no memory"))
    assert.strictEqual(resolve("digits"), 2)
  }),
)

it.effect("nothing is waited for where the old version could not answer either", () =>
  Effect.gen(function* () {
    const asleep = yield* openWith([], { versions, aliases: { production: 1 } })
    yield* asleep.move({ versions, aliases: { production: 2 } })
    assert.strictEqual(asleep.resolve("digits"), 2)
    const archived = yield* openWith([1], { versions, aliases: { production: 1 } })
    yield* archived.move({ versions: { ...versions, 1: "archived" }, aliases: { production: 2 } })
    assert.strictEqual(archived.resolve("digits"), 2)
    const inMemory = yield* openWith([1, 2], { versions, aliases: { production: 1 } })
    yield* inMemory.move({ versions, aliases: { production: 2 } })
    assert.strictEqual(inMemory.resolve("digits"), 2)
  }),
)

it.effect("of several moves the last one counts, whichever load ends first", () =>
  Effect.gen(function* () {
    const { resolve, loadEnds, move } = yield* openWith([1], { versions, aliases: { production: 1 } })
    yield* move({ versions, aliases: { production: 2 } })
    yield* move({ versions, aliases: { production: 3 } })
    yield* loadEnds(2)
    assert.strictEqual(resolve("digits"), 1)
    yield* loadEnds(3)
    assert.strictEqual(resolve("digits"), 3)
  }),
)

it.effect("a move back needs no wait, and what was begun for the other is forgotten", () =>
  Effect.gen(function* () {
    const { resolve, loadEnds, move } = yield* openWith([1], { versions, aliases: { production: 1 } })
    yield* move({ versions, aliases: { production: 2 } })
    yield* move({ versions, aliases: { production: 1 } })
    yield* loadEnds(2)
    assert.strictEqual(resolve("digits"), 1)
  }),
)

it.effect("a model that is deleted meanwhile stays deleted", () =>
  Effect.gen(function* () {
    const { resolve, loadEnds, move, stored, table } = yield* openWith([1], {
      versions,
      aliases: { production: 1 },
    })
    yield* move({ versions, aliases: { production: 2 } })
    stored.delete(digits)
    yield* table.refresh(digits)
    yield* loadEnds(2)
    assert.strictEqual(resolve("digits"), 'There is no model "digits"')
  }),
)

it.effect("listeners hear of what is pointed at while it is waited for, and of the end", () =>
  Effect.gen(function* () {
    const { loadEnds, move, table, change } = yield* openWith([1], { versions, aliases: { production: 1 } })
    const heard: Array<ReadonlyArray<string>> = []
    yield* table.onChange(({ aliased }) =>
      heard.push([...aliased].map((id) => id.split("/").slice(0, 2).join("/"))),
    )
    yield* move({ versions, aliases: { production: 2 } })
    change(letters, { versions: {} })
    yield* table.refresh(letters)
    yield* loadEnds(2)
    assert.deepStrictEqual(heard, [["digits/1"], ["digits/2"], ["digits/2"], ["digits/2"]])
  }),
)

it.effect(
  "whoever changed the routes is answered once they are in force, after 30 seconds at the latest",
  () =>
    Effect.gen(function* () {
      const { resolve, loadEnds, table, change } = yield* openWith([1], {
        versions,
        aliases: { production: 1 },
      })
      const moving = (version: number) =>
        table.thenRefresh(
          digits,
          Effect.sync(() => change(digits, { versions, aliases: { production: version } })),
        )
      const move = yield* Effect.forkChild(moving(2), { startImmediately: true })
      yield* settled
      assert.strictEqual(resolve("digits"), 1)
      assert.isUndefined(move.pollUnsafe())
      yield* loadEnds(2)
      yield* Fiber.join(move)
      assert.strictEqual(resolve("digits"), 2)
      const slow = yield* Effect.forkChild(moving(3), { startImmediately: true })
      yield* settled
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(slow)
      assert.strictEqual(Number(Result.getOrThrow(table.resolve("digits")).version), 2)
    }),
)
