import { randomUUID } from "node:crypto"
import { cpSync, utimesSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Actor } from "../../src/events/Actor.ts"
import { ModelName } from "../../src/model/Names.ts"
import { UploadInterrupted } from "../../src/registry/RegistryError.ts"
import { UploadSessions } from "../../src/uploads/UploadSessions.ts"
import { digestOf, forbidden, storeDown, streamOf, World } from "../fakes.ts"
import { first, model, production, push, refused, routed, slowTrials } from "../registry/uploading.ts"
import { abort, begin, eventually, filesOf, folders, look, send, thenBroken, thenSilence } from "./sending.ts"

const content = "the bytes of a model"
const cut = 7
const head = content.slice(0, cut)
const tail = content.slice(cut)

describe("an upload in pieces", () => {
  it.effect("becomes a version as announced, and says so to whoever asks", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const session = yield* begin(content, {
            digest: digestOf(content),
            alias: production,
            description: "in pieces",
            metadata: "filename bW9kZWw=",
          }).pipe(Effect.provideService(Actor, "someone"))
          assert.deepInclude({ ...session }, { offset: 0, size: content.length, state: "receiving" })
          const after = yield* send(session, 0, head)
          assert.deepInclude({ ...after }, { offset: cut, state: "receiving", version: null })
          assert.deepStrictEqual(yield* look(session), after)
          const done = yield* send(session, cut, tail)
          const expected = {
            offset: content.length,
            state: "finished" as const,
            version: first,
            refusal: null,
          }
          assert.deepInclude({ ...done }, { ...expected, metadata: "filename bW9kZWw=" })
          assert.deepInclude({ ...(yield* look(session)) }, expected)
          const [version] = yield* world.store.listVersions(model, { limit: 10 })
          assert.deepInclude(
            { ...version },
            { digest: digestOf(content), state: "ready", description: "in pieces", createdBy: "someone" },
          )
          assert.strictEqual(yield* routed("production"), first)
          assert.deepStrictEqual(yield* filesOf(world, session), ["outcome.json", "session.json"])
          assert.deepStrictEqual(yield* world.staged, [])
        }),
      )
    }),
  )

  it.effect("answers again how it ended, without doing it again", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const session = yield* begin(content)
          const done = yield* send(session, 0, content)
          assert.deepStrictEqual(yield* send(session, content.length, ""), done)
          const error = yield* refused(send(session, 0, content))
          assert.deepInclude({ ...error }, { _tag: "OffsetMismatch", sent: 0, offset: content.length })
          assert.lengthOf(world.runtime.trials, 1)
        }),
      )
    }),
  )

  it.effect("belongs to its model", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const { id } = yield* begin(content)
          const other = ModelName.make("other")
          const sessions = yield* UploadSessions
          const piece = { offset: 0, bytes: streamOf(content) }
          for (const [name, upload] of [
            [other, id],
            [model, "../../etc"],
            [model, "00000000-0000-4000-8000-000000000000"],
          ] as const) {
            assert.strictEqual((yield* refused(sessions.find(name, upload)))._tag, "UploadNotFound")
            assert.strictEqual((yield* refused(sessions.append(name, upload, piece)))._tag, "UploadNotFound")
            assert.strictEqual((yield* refused(sessions.abort(name, upload)))._tag, "UploadNotFound")
          }
        }),
      )
    }),
  )
})

describe("what is refused at the beginning", () => {
  it.effect("files that are too large, models that are not there, bytes that are a version", () =>
    Effect.gen(function* () {
      const world = yield* World.make({ maxArtifactBytes: 100 })
      yield* world.open(
        Effect.gen(function* () {
          const large = yield* refused(begin(101))
          assert.deepInclude({ ...large }, { _tag: "ArtifactTooLarge", limit: 100 })
          assert.strictEqual((yield* refused(begin(100, { createModel: false })))._tag, "ModelNotFound")
          yield* push(content)
          const digest = digestOf(content)
          const there = yield* refused(begin(content, { digest }))
          assert.deepInclude({ ...there }, { _tag: "DuplicateVersion", version: 1 })
          assert.deepStrictEqual(yield* folders(world), [])
          yield* begin(100, { createModel: false })
        }),
      )
    }),
  )

  it.effect("more uploads than there may be, until one ends", () =>
    Effect.gen(function* () {
      const world = yield* World.make({ maxUploads: 2 })
      yield* world.open(
        Effect.gen(function* () {
          const [one, two] = [yield* begin(content), yield* begin(10)]
          const full = yield* refused(begin(1))
          assert.deepInclude({ ...full }, { _tag: "TooManyUploads", uploads: 2, bytes: content.length + 10 })
          yield* abort(two)
          yield* begin(1)
          assert.strictEqual((yield* refused(begin(1)))._tag, "TooManyUploads")
          yield* send(one, 0, content)
          yield* begin(1)
        }),
      )
    }),
  )

  it.effect("more bytes than there may be, also when all ask at once", () =>
    Effect.gen(function* () {
      const world = yield* World.make({ maxUploadsBytes: 100 })
      yield* world.open(
        Effect.gen(function* () {
          const made = yield* Effect.forEach(
            Array.from({ length: 10 }, () => 30),
            (size) => Effect.option(begin(size)),
            { concurrency: "unbounded" },
          )
          assert.lengthOf(
            made.filter(({ _tag }) => _tag === "Some"),
            3,
          )
          yield* begin(10)
          assert.strictEqual((yield* refused(begin(1)))._tag, "TooManyUploads")
        }),
      )
    }),
  )
})

describe("a file that can't be a version", () => {
  it.effect("is refused by its first bytes, and frees the disk", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const session = yield* begin(1_000_000)
          const chunk = Stream.make(new TextEncoder().encode(forbidden))
          const why = yield* refused(send(session, 0, Stream.concat(chunk, Stream.never)))
          assert.deepInclude({ ...why }, { _tag: "UnusableModel", code: "external-data" })
          const after = yield* look(session)
          assert.strictEqual(after.state, "refused")
          assert.deepInclude({ ...after.refusal }, { _tag: "UnusableModel", code: "external-data" })
          assert.deepStrictEqual(yield* filesOf(world, session), ["outcome.json", "session.json"])
          assert.deepInclude({ ...(yield* refused(send(session, 1_000_000, ""))) }, { code: "external-data" })
          assert.isUndefined(yield* routed())
        }),
      )
    }),
  )

  it.effect("is refused when it is whole, as any upload is", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          yield* push(content)
          const duplicate = yield* begin(content)
          yield* send(duplicate, 0, head)
          assert.strictEqual((yield* refused(send(duplicate, cut, tail)))._tag, "DuplicateVersion")
          const other = yield* begin(content, { digest: digestOf("something else") })
          assert.strictEqual((yield* refused(send(other, 0, content)))._tag, "DigestMismatch")
          const later = yield* begin(head + forbidden)
          yield* send(later, 0, head)
          const bytes = Stream.make(new TextEncoder().encode(forbidden))
          assert.strictEqual((yield* refused(send(later, cut, bytes)))._tag, "UnusableModel")
          for (const session of [duplicate, other, later]) {
            assert.strictEqual((yield* look(session)).state, "refused")
            assert.deepStrictEqual(yield* filesOf(world, session), ["outcome.json", "session.json"])
          }
        }),
      )
    }),
  )
})

describe("writing", () => {
  it.effect("goes on at the offset, and nowhere else", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const session = yield* begin(content)
          yield* send(session, 0, head)
          for (const offset of [0, cut - 1, cut + 1, content.length]) {
            const why = yield* refused(send(session, offset, tail))
            assert.deepInclude({ ...why }, { _tag: "OffsetMismatch", sent: offset, offset: cut })
          }
          assert.strictEqual((yield* look(session)).offset, cut)
          const overrun = yield* refused(send(session, cut, `${tail} and more`))
          assert.deepInclude({ ...overrun }, { _tag: "UploadOverrun", size: content.length })
        }),
      )
    }),
  )

  it.effect("is one request's at a time", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const session = yield* begin(content)
          const [begun, rest] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
          const held = Stream.concat(
            Stream.tap(streamOf(head), () => Deferred.succeed(begun, undefined)),
            Stream.unwrap(Effect.as(Deferred.await(rest), streamOf(tail))),
          )
          const writer = yield* Effect.forkChild(send(session, 0, held))
          yield* Deferred.await(begun)
          assert.strictEqual((yield* refused(send(session, 0, content)))._tag, "UploadLocked")
          assert.strictEqual((yield* refused(abort(session)))._tag, "UploadLocked")
          yield* Deferred.succeed(rest, undefined)
          assert.strictEqual((yield* Fiber.join(writer)).version, first)
        }),
      )
    }),
  )

  it.effect("keeps what arrived before the connection broke, or the sender left", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const session = yield* begin(content)
          assert.strictEqual((yield* refused(send(session, 0, thenBroken("the"))))._tag, "UploadInterrupted")
          assert.strictEqual((yield* look(session)).offset, 3)
          const arrived = yield* Deferred.make<void>()
          const writer = yield* Effect.forkChild(send(session, 3, thenSilence(" byte", arrived)))
          yield* Deferred.await(arrived)
          yield* Fiber.interrupt(writer)
          assert.strictEqual((yield* look(session)).offset, 8)
          assert.strictEqual((yield* send(session, 8, content.slice(8))).version, first)
        }),
      )
    }),
  )

  it.effect("does not wait for a sender who says nothing", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const session = yield* begin(content)
          const silent = yield* Deferred.make<void>()
          const writer = yield* Effect.forkChild(send(session, 0, thenSilence(head, silent)))
          yield* Deferred.await(silent)
          yield* TestClock.adjust("29 seconds")
          assert.strictEqual((yield* refused(send(session, 0, content)))._tag, "UploadLocked")
          yield* TestClock.adjust("1 second")
          assert.strictEqual((yield* Fiber.join(writer)).offset, cut)
          assert.strictEqual((yield* send(session, cut, tail)).version, first)
        }),
      )
    }),
  )
})

describe("the end", () => {
  it.effect("comes without the sender, once the last byte is there", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      const { begun, verdict } = yield* slowTrials(world)
      yield* world.open(
        Effect.gen(function* () {
          const session = yield* begin(content)
          const writer = yield* Effect.forkChild(send(session, 0, content))
          yield* Deferred.await(begun)
          yield* Fiber.interrupt(writer)
          assert.strictEqual((yield* look(session)).state, "finishing")
          assert.strictEqual((yield* refused(abort(session)))._tag, "UploadLocked")
          const again = yield* Effect.forkChild(send(session, content.length, ""))
          yield* Effect.yieldNow
          yield* Deferred.succeed(verdict, undefined)
          assert.strictEqual((yield* Fiber.join(again)).version, first)
          assert.lengthOf(world.runtime.trials, 1)
        }),
      )
    }),
  )

  it.effect("comes also when the connection breaks behind the last byte", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const session = yield* begin(content)
          const bytes = Stream.concat(
            streamOf(content),
            Stream.fail(new UploadInterrupted({ detail: "the connection broke" })),
          )
          yield* refused(send(session, 0, bytes))
          yield* eventually(Effect.map(look(session), ({ version }) => version === first))
        }),
      )
    }),
  )

  it.effect("can be had later when the registry was away", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(
        Effect.gen(function* () {
          const session = yield* begin(content)
          world.outage.fail("insertVersion", 1)
          assert.deepStrictEqual(yield* refused(send(session, 0, content)), storeDown.reason)
          assert.deepInclude({ ...(yield* look(session)) }, { state: "finishing", offset: content.length })
          assert.strictEqual((yield* send(session, content.length, "")).version, first)
        }),
      )
    }),
  )

  it.effect("comes after a restart for what was whole", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      world.outage.fail("insertVersion")
      const session = yield* world.open(
        Effect.gen(function* () {
          const session = yield* begin(content)
          yield* refused(send(session, 0, content))
          return session
        }),
      )
      world.outage.end()
      yield* world.open(eventually(Effect.map(look(session), ({ version }) => version === first)))
    }),
  )

  it.effect("takes a version for its own that was made since, and none from before", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      yield* world.open(push("older"))
      yield* TestClock.adjust("1 hour")
      const [own, older] = yield* world.open(
        Effect.gen(function* () {
          const own = yield* begin(content)
          const older = yield* begin("older", { createModel: false })
          world.outage.fail("insertVersion")
          yield* refused(send(own, 0, content))
          world.outage.fail("findModel")
          yield* refused(send(older, 0, "older"))
          world.outage.end()
          // As if the server had been killed between this row and the outcome.
          yield* push(content)
          return [own, older] as const
        }),
      )
      yield* world.open(
        Effect.gen(function* () {
          yield* eventually(Effect.map(look(own), ({ state }) => state !== "finishing"))
          yield* eventually(Effect.map(look(older), ({ state }) => state !== "finishing"))
          assert.strictEqual((yield* look(own)).version, 2)
          assert.strictEqual((yield* look(older)).refusal?._tag, "DuplicateVersion")
        }),
      )
    }),
  )
})

it.effect("only the newest outcomes are remembered", () =>
  Effect.gen(function* () {
    const world = yield* World.make()
    yield* world.open(
      Effect.gen(function* () {
        const oldest = yield* begin(content)
        yield* send(oldest, 0, content)
        const uploads = `${world.directory}/uploads`
        for (let count = 0; count < 255; count++) {
          const folder = `${uploads}/${randomUUID()}`
          cpSync(`${uploads}/${oldest.id}`, folder, { recursive: true })
          utimesSync(`${folder}/session.json`, 0.5, 0.5)
        }
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* look(oldest)).state, "finished")
        const session = yield* begin("another model")
        yield* send(session, 0, "another model")
        assert.lengthOf(yield* folders(world), 256)
        assert.strictEqual((yield* refused(look(oldest)))._tag, "UploadNotFound")
      }),
    )
  }),
)
