/** How an artifact store keeps what it has, and gives it up. */
import { assert, type Vitest } from "@effect/vitest"
import { DateTime, Deferred, Effect, Fiber, FileSystem, Result, Stream } from "effect"
import { ArtifactStore } from "../artifacts/ArtifactStore.ts"
import type { Digest } from "../model/Version.ts"
import {
  contentOf,
  digestOf,
  freshBytes,
  isAbsent,
  isStored,
  type Needs,
  store,
} from "./ArtifactStoreFixtures.ts"

const storeFresh = Effect.suspend(() => {
  const bytes = freshBytes(1000)
  return Effect.as(store(bytes), bytes)
})

/** Changes a byte, as a bad disk or a careless person does. */
const damage = (file: string) =>
  FileSystem.FileSystem.use((fs) =>
    Effect.flatMap(fs.readFile(file), (bytes) => {
      const changed = bytes.slice()
      changed[0] = (changed[0] ?? 0) ^ 1
      return fs.writeFile(file, changed)
    }),
  )

export const verifyingTests = (it: Vitest.MethodsNonLive<Needs>) => {
  it.effect("damaged bytes are never given for good ones, and storing them again mends them", () =>
    Effect.gen(function* () {
      const artifacts = yield* ArtifactStore
      const bytes = freshBytes(200_000)
      const digest = digestOf(bytes)
      yield* store(bytes)
      yield* Effect.scoped(Effect.flatMap(artifacts.file(digest), damage))
      const given: Array<Uint8Array> = []
      const read = Stream.runForEach(artifacts.read(digest), (chunk) => Effect.sync(() => given.push(chunk)))
      const whole = Effect.map(read, () => Buffer.concat(given))
      // A store may mend what it finds, or say that it can't.
      const attempts = [Effect.scoped(Effect.flatMap(artifacts.file(digest), contentOf)), whole]
      for (const attempt of attempts) {
        const outcome = yield* Effect.result(attempt)
        if (Result.isSuccess(outcome)) assert.strictEqual(digestOf(outcome.success), digest)
        else assert.propertyVal(outcome.failure.reason, "_tag", "ArtifactCorrupt")
      }
      assert.isTrue(Buffer.concat(given).length < bytes.length || digestOf(Buffer.concat(given)) === digest)
      yield* store(bytes)
      yield* isStored(bytes)
    }),
  )

  it.effect("a local file stays where it is for as long as its scope is open", () =>
    Effect.gen(function* () {
      const artifacts = yield* ArtifactStore
      const bytes = freshBytes(1000)
      const { digest } = yield* store(bytes)
      const file = yield* artifacts.file(digest)
      for (let other = 0; other < 3; other++) yield* isStored(yield* storeFresh)
      assert.isTrue(Buffer.from(bytes).equals(yield* contentOf(file)))
    }).pipe(Effect.scoped),
  )
}

const future = DateTime.makeUnsafe("9000-01-01T00:00:00Z")
const isNeeded = Effect.succeed(true)
const isNotNeeded = Effect.succeed(false)

export const removingTests = (it: Vitest.MethodsNonLive<Needs>) => {
  const listed = Effect.fnUntraced(function* (digest: Digest) {
    const { list } = yield* ArtifactStore
    const all = yield* Stream.runCollect(Stream.filter(list, (artifact) => artifact.digest === digest))
    return all[0]
  })

  it.effect("what is stored is listed, with its size and when it was committed", () =>
    Effect.gen(function* () {
      const artifacts = yield* ArtifactStore
      const all = [10, 200, 3000].map(freshBytes)
      const uncommitted = yield* artifacts.stage(Stream.make(freshBytes(5)), 5)
      yield* Effect.forEach(all, (bytes) => store(bytes))
      for (const bytes of all) {
        const found = yield* listed(digestOf(bytes))
        assert.strictEqual(found?.size, bytes.length)
        const age = Date.now() - DateTime.toEpochMillis(found?.committedAt ?? future)
        assert.isBelow(Math.abs(age), 60_000)
      }
      assert.isUndefined(yield* listed(uncommitted.digest))
    }),
  )

  it.effect("what nobody needs is removed, once, and can be stored again", () =>
    Effect.gen(function* () {
      const { remove } = yield* ArtifactStore
      const bytes = freshBytes(500)
      const digest = digestOf(bytes)
      const removal = { committedBefore: future, isNeeded: isNotNeeded }
      assert.isFalse(yield* remove(digest, removal))
      yield* store(bytes)
      const removed = yield* Effect.all([remove(digest, removal), remove(digest, removal)], {
        concurrency: 2,
      })
      assert.include(removed, true)
      assert.isFalse(yield* remove(digest, removal))
      yield* isAbsent(digest)
      assert.isUndefined(yield* listed(digest))
      yield* store(bytes)
      yield* isStored(bytes)
    }),
  )

  it.effect("what is needed stays, and what is young without anybody being asked", () =>
    Effect.gen(function* () {
      const { remove } = yield* ArtifactStore
      const bytes = freshBytes(500)
      yield* store(bytes)
      const digest = digestOf(bytes)
      assert.isFalse(yield* remove(digest, { committedBefore: future, isNeeded }))
      yield* isStored(bytes)
      const committedBefore = DateTime.makeUnsafe(Date.now() - 60_000)
      assert.isFalse(yield* remove(digest, { committedBefore, isNeeded: Effect.die("it was asked") }))
      yield* isStored(bytes)
    }),
  )

  it.effect("what may be needed stays: when that can't be found out, or nobody waits for it", () =>
    Effect.gen(function* () {
      const { remove } = yield* ArtifactStore
      const bytes = freshBytes(500)
      yield* store(bytes)
      const digest = digestOf(bytes)
      const failing = remove(digest, {
        committedBefore: future,
        isNeeded: Effect.fail("the database is away"),
      })
      assert.strictEqual(yield* Effect.flip(failing), "the database is away")
      yield* isStored(bytes)
      const asked = yield* Deferred.make<void>()
      const never = Effect.andThen(Deferred.succeed(asked, undefined), Effect.never)
      const removing = yield* Effect.forkChild(remove(digest, { committedBefore: future, isNeeded: never }))
      yield* Deferred.await(asked)
      yield* Fiber.interrupt(removing)
      yield* isStored(bytes)
    }),
  )

  it.effect("what is committed while it is removed stays, and a repeated commit puts it back", () =>
    Effect.gen(function* () {
      const artifacts = yield* ArtifactStore
      const bytes = freshBytes(500)
      const staged = yield* artifacts.stage(Stream.make(bytes), 500)
      yield* staged.commit
      const commit = Effect.as(staged.commit, false)
      yield* artifacts.remove(staged.digest, { committedBefore: future, isNeeded: commit })
      yield* isStored(bytes)
      yield* artifacts.remove(staged.digest, { committedBefore: future, isNeeded: isNotNeeded })
      yield* staged.commit
      yield* isStored(bytes)
    }).pipe(Effect.scoped),
  )
}
