import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { ForgeConfig } from "../../src/ForgeConfig.ts"
import { UploadSessions } from "../../src/uploads/UploadSessions.ts"
import { UploadStore } from "../../src/uploads/UploadStore.ts"
import { World } from "../fakes.ts"
import { first, refused } from "../registry/uploading.ts"
import { begin, eventually, folders, look, send } from "./sending.ts"

const content = "the bytes of a model"
const cut = 7
const head = content.slice(0, cut)
const tail = content.slice(cut)

describe("time", () => {
  it.effect("forgets an upload that nobody goes on with, and frees the disk", () =>
    Effect.gen(function* () {
      const world = yield* World.make({ uploadExpiry: Duration.hours(2) })
      yield* world.open(
        Effect.gen(function* () {
          const [left, kept] = [yield* begin(content), yield* begin(content)]
          yield* send(left, 0, head)
          yield* TestClock.adjust("1 hour")
          const after = yield* send(kept, 0, head)
          assert.strictEqual(after.expiresAt.epochMilliseconds, Duration.toMillis("3 hours"))
          yield* TestClock.adjust("59 minutes")
          assert.strictEqual((yield* look(left)).offset, cut)
          yield* TestClock.adjust("1 minute")
          assert.strictEqual((yield* refused(look(left)))._tag, "UploadNotFound")
          assert.strictEqual((yield* send(kept, cut, tail)).version, first)
          assert.include(yield* folders(world), kept.id)
          // Gone is gone, also while its files still go.
          const gone = Effect.map(refused(send(left, cut, tail)), ({ _tag }) =>
            assert.strictEqual(_tag, "UploadNotFound"),
          )
          yield* eventually(
            TestClock.adjust("10 minutes").pipe(
              Effect.andThen(gone),
              Effect.andThen(folders(world)),
              Effect.map((names) => !names.some((name) => name === left.id || name.startsWith("."))),
            ),
          )
        }),
      )
    }),
  )

  it.effect("does not take what somebody went on with while it was looked through", () =>
    Effect.gen(function* () {
      const expiry = { uploadExpiry: Duration.hours(2) }
      const world = yield* World.make(expiry)
      yield* world.open(
        Effect.gen(function* () {
          const session = yield* begin(content)
          const listed = yield* Deferred.make<void>()
          const renewed = yield* Deferred.make<void>()
          const store = yield* UploadStore
          const slow = UploadStore.of({
            ...store,
            list: Effect.tap(store.list, () =>
              Effect.andThen(Deferred.succeed(listed, undefined), Deferred.await(renewed)),
            ),
          })
          const { sweep } = yield* UploadSessions.make.pipe(
            Effect.provideService(UploadStore, slow),
            Effect.provide(ForgeConfig.layer(expiry)),
          )
          yield* TestClock.adjust("119 minutes")
          const sweeping = yield* Effect.forkChild(sweep)
          yield* Deferred.await(listed)
          yield* send(session, 0, head)
          yield* TestClock.adjust("2 minutes")
          yield* Deferred.succeed(renewed, undefined)
          yield* Fiber.join(sweeping)
          assert.strictEqual((yield* send(session, cut, tail)).version, first)
        }),
      )
    }),
  )

  it.effect("makes room: what expired does not count", () =>
    Effect.gen(function* () {
      const world = yield* World.make({ maxUploads: 1 })
      yield* world.open(
        Effect.gen(function* () {
          yield* begin(content)
          assert.strictEqual((yield* refused(begin(content)))._tag, "TooManyUploads")
          yield* TestClock.adjust("24 hours")
          yield* begin(content)
        }),
      )
    }),
  )

  it.effect("does not matter to a restart: what was acknowledged is there", () =>
    Effect.gen(function* () {
      const world = yield* World.make()
      const session = yield* world.open(Effect.tap(begin(content), (session) => send(session, 0, head)))
      yield* world.open(
        Effect.gen(function* () {
          assert.deepInclude({ ...(yield* look(session)) }, { offset: cut, state: "receiving" })
          assert.strictEqual((yield* send(session, cut, tail)).version, first)
        }),
      )
    }),
  )
})
