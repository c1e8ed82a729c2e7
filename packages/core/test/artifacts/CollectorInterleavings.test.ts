import { assert, describe, it } from "@effect/vitest"
import { DateTime, Deferred, Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Removal } from "../../src/artifacts/ArtifactStore.ts"
import type { Digest } from "../../src/model/Version.ts"
import { bytesOf, digestOf } from "../fakes.ts"
import { commit, draftOf, makeStores, type Stores, startCollector } from "./collecting.ts"

const content = "aaaaaaaaaa"

/** How removals ended, in all orders together. */
const outcomes = { removed: 0, kept: 0 }

type Who = "upload" | "collector"

/** Two who do their steps in the order that a test says. */
class Lockstep {
  readonly #waiting = new Map<Who, Deferred.Deferred<void>>()
  readonly #done = new Set<Who>()

  /** The step, once it is its turn. */
  readonly step = <A, E, R>(who: Who, step: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const turn = Deferred.makeUnsafe<void>()
      this.#waiting.set(who, turn)
      return Effect.andThen(Deferred.await(turn), step)
    })

  readonly run = <A, E, R>(who: Who, steps: Effect.Effect<A, E, R>) =>
    Effect.ensuring(
      steps,
      Effect.sync(() => this.#done.add(who)),
    )

  /** Until it waits for its next turn, or has ended: files take real time. */
  readonly #settle = (who: Who) =>
    Effect.gen({ self: this }, function* () {
      while (!this.#waiting.has(who) && !this.#done.has(who))
        yield* Effect.promise(() => new Promise(setImmediate))
    })

  readonly give = (who: Who) =>
    Effect.gen({ self: this }, function* () {
      yield* this.#settle(who)
      const turn = this.#waiting.get(who)
      if (turn === undefined) return
      this.#waiting.delete(who)
      Deferred.doneUnsafe(turn, Exit.void)
      yield* this.#settle(who)
    })
}

/** What an upload does with the stores, as `Uploads` does it. */
const upload = ({ artifacts, registry }: Stores, lockstep: Lockstep) =>
  Effect.gen(function* () {
    const staged = yield* artifacts.stage(Stream.make(bytesOf(content)), content.length)
    yield* lockstep.step("upload", staged.commit)
    yield* lockstep.step("upload", registry.insertVersion(draftOf(content)))
    yield* lockstep.step("upload", staged.commit)
  }).pipe(Effect.scoped)

/** The stores as the collector sees them: each thing it does is a step. */
const inSteps = ({ artifacts, registry }: Stores, { step }: Lockstep, agesTell: boolean): Stores => ({
  artifacts: {
    ...artifacts,
    list: Stream.unwrap(step("collector", Effect.succeed(artifacts.list))).pipe(
      Stream.map((listed) => (agesTell ? listed : { ...listed, committedAt: past })),
    ),
    remove: Effect.fnUntraced(function* <E, R>(digest: Digest, removal: Removal<E, R>) {
      // The question within has an end of its own: the answer may be old when it is used.
      const isNeeded = Effect.tap(removal.isNeeded, () => step("collector", Effect.void))
      const removed = yield* step(
        "collector",
        artifacts.remove(digest, { committedBefore: agesTell ? removal.committedBefore : future, isNeeded }),
      )
      outcomes[removed ? "removed" : "kept"]++
      return removed
    }),
  },
  registry: {
    ...registry,
    findReferred: (digests, since) => step("collector", registry.findReferred(digests, since)),
  },
})

const past = DateTime.makeUnsafe(0)
const future = DateTime.makeUnsafe("9000-01-01T00:00:00Z")

/** Every order of so many steps of each. */
const orders = (uploads: number, collectors: number): ReadonlyArray<ReadonlyArray<Who>> => {
  if (uploads === 0 && collectors === 0) return [[]]
  return [
    ...(uploads > 0 ? orders(uploads - 1, collectors).map((rest) => ["upload" as const, ...rest]) : []),
    ...(collectors > 0 ? orders(uploads, collectors - 1).map((rest) => ["collector" as const, ...rest]) : []),
  ]
}

/** One order of steps: afterwards there is a version, and so there must be its artifact. */
const play = Effect.fnUntraced(function* (order: ReadonlyArray<Who>, agesTell: boolean) {
  const stores = yield* makeStores
  const lockstep = new Lockstep()
  const stepped = inSteps(stores, lockstep, agesTell)
  let watched: Stores = stores
  yield* commit(stores, content)
  const { collect } = yield* startCollector({
    artifacts: {
      ...stepped.artifacts,
      list: Stream.suspend(() => watched.artifacts.list),
    },
    registry: {
      ...stores.registry,
      findReferred: (digests, since) => watched.registry.findReferred(digests, since),
    },
  })
  // For a day nothing has referred to the artifact.
  yield* TestClock.adjust("25 hours")
  watched = stepped
  const uploading = yield* Effect.forkChild(lockstep.run("upload", upload(stores, lockstep)))
  const collecting = yield* Effect.forkChild(lockstep.run("collector", collect))
  for (const who of order) yield* lockstep.give(who)
  yield* Fiber.join(uploading)
  yield* Fiber.join(collecting)
  yield* stores.artifacts.file(digestOf(content))
}, Effect.scoped)

for (const [name, agesTell] of [
  ["by its age, and by asking again", true],
  ["by asking again alone, if the upload took longer than the grace period", false],
] as const)
  describe(`an upload of bytes that a collector removes never ends without its artifact: ${name}`, () => {
    // The upload commits, refers, commits; the collector lists, asks, takes away, asks again, and ends it.
    for (const order of orders(3, 5))
      it.effect(order.map(([first]) => first).join(""), () => play(order, agesTell))
  })

it("some of these orders come to a removal, and some to an artifact that is kept", () => {
  assert.isAbove(outcomes.removed, 0)
  assert.isAbove(outcomes.kept, 0)
})
