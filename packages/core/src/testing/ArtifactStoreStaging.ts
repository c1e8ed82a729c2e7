/** How bytes come into an artifact store, and which do not. */
import { assert, type Vitest } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, FileSystem, Scope, Stream } from "effect"
import { ArtifactStore } from "../artifacts/ArtifactStore.ts"
import {
  contentOf,
  digestOf,
  freshBytes,
  inChunks,
  isAbsent,
  isStored,
  type Needs,
  reasonOf,
  store,
} from "./ArtifactStoreFixtures.ts"

export const storingTests = (it: Vitest.MethodsNonLive<Needs>) => {
  it.effect("gives back the bytes, whatever their chunks were", () =>
    Effect.gen(function* () {
      for (const [size, chunkSize] of [
        [1, 1],
        [1000, 7],
        [65_536, 65_536],
        [300_001, 4096],
      ] as const) {
        const bytes = freshBytes(size)
        const { digest, size: stored } = yield* store(bytes, chunkSize)
        assert.strictEqual(digest, digestOf(bytes))
        assert.strictEqual(stored, size)
        yield* isStored(bytes)
      }
    }),
  )

  it.effect("takes no bytes, and chunks without any", () =>
    Effect.gen(function* () {
      const artifacts = yield* ArtifactStore
      const [bytes, none] = [freshBytes(10), new Uint8Array(0)]
      const chunks = Stream.make(none, bytes.subarray(0, 4), none, bytes.subarray(4), none)
      const staged = yield* artifacts.stage(chunks, 10)
      yield* staged.commit
      assert.strictEqual(staged.digest, digestOf(bytes))
      yield* isStored(bytes)
      yield* store(none)
      yield* isStored(none)
    }),
  )

  it.effect("knows nothing of bytes that never came", () => isAbsent(digestOf(freshBytes(8))))

  it.effect("what is stored does not change while others are", () =>
    Effect.gen(function* () {
      const all = Array.from({ length: 10 }, (_, i) => freshBytes(10_000 + i))
      yield* Effect.forEach(all, (bytes) => store(bytes, 999), { concurrency: "unbounded" })
      yield* Effect.forEach(all, isStored, { concurrency: "unbounded" })
    }),
  )
}

export const stagingTests = (it: Vitest.MethodsNonLive<Needs>) => {
  it.effect("staged bytes are in a local file, and not in the store before they are committed", () =>
    Effect.gen(function* () {
      const artifacts = yield* ArtifactStore
      const bytes = freshBytes(5000)
      const staged = yield* artifacts.stage(inChunks(bytes, 100), 5000)
      assert.deepInclude(staged, { digest: digestOf(bytes), size: 5000 })
      assert.isTrue(Buffer.from(bytes).equals(yield* contentOf(staged.file)))
      yield* isAbsent(staged.digest)
      yield* staged.commit
      yield* isStored(bytes)
      // Whoever reads the staged file may go on after the commit.
      assert.isTrue(Buffer.from(bytes).equals(yield* contentOf(staged.file)))
    }),
  )

  it.effect("the staged file goes with its scope, the artifact stays", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const bytes = freshBytes(100)
      const { file } = yield* store(bytes)
      assert.isFalse(yield* fs.exists(file))
      yield* isStored(bytes)
    }),
  )

  it.effect("what is not committed is forgotten", () =>
    Effect.gen(function* () {
      const artifacts = yield* ArtifactStore
      const fs = yield* FileSystem.FileSystem
      const bytes = freshBytes(100)
      const { file, digest } = yield* Effect.scoped(artifacts.stage(Stream.make(bytes), 100))
      assert.isFalse(yield* fs.exists(file))
      yield* isAbsent(digest)
    }),
  )

  it.effect("the same bytes committed again, also at once, are one artifact", () =>
    Effect.gen(function* () {
      const artifacts = yield* ArtifactStore
      const bytes = freshBytes(3000)
      const staged = yield* artifacts.stage(inChunks(bytes, 1000), 3000)
      const others = yield* Effect.all([
        artifacts.stage(inChunks(bytes, 7), 3000),
        artifacts.stage(Stream.make(bytes), 3000),
      ])
      const commits = [staged, ...others, ...others].map(({ commit }) => commit)
      yield* Effect.all(commits, { concurrency: "unbounded" })
      yield* staged.commit
      yield* store(bytes)
      yield* isStored(bytes)
    }),
  )
}

export const refusingTests = (it: Vitest.MethodsNonLive<Needs>) => {
  it.effect("as many bytes as allowed are taken, and one more is refused as soon as it came", () =>
    Effect.gen(function* () {
      const artifacts = yield* ArtifactStore
      const bytes = freshBytes(1001)
      const tooMany = Stream.concat(inChunks(bytes, 100), Stream.die("it was read on"))
      const reason = yield* reasonOf(artifacts.stage(tooMany, 1000))
      assert.deepInclude(reason, { _tag: "ArtifactTooLarge", limit: 1000 })
      yield* isAbsent(digestOf(bytes))
      const enough = bytes.subarray(1)
      yield* (yield* artifacts.stage(inChunks(enough, 100), 1000)).commit
      yield* isStored(enough)
    }),
  )

  it.effect("a stream that fails fails the staging as it did", () =>
    Effect.gen(function* () {
      const artifacts = yield* ArtifactStore
      const bytes = freshBytes(100)
      const broken = Stream.concat(Stream.make(bytes), Stream.fail("the sender went away" as const))
      assert.strictEqual(yield* Effect.flip(artifacts.stage(broken, 1000)), "the sender went away")
      yield* isAbsent(digestOf(bytes))
    }),
  )

  it.effect("a staging that is interrupted stores nothing", () =>
    Effect.gen(function* () {
      const artifacts = yield* ArtifactStore
      const bytes = freshBytes(100)
      const arrived = yield* Deferred.make<void>()
      const endless = Stream.concat(
        Stream.make(bytes),
        Stream.fromEffect(Effect.andThen(Deferred.succeed(arrived, undefined), Effect.never)),
      )
      const fiber = yield* Effect.forkChild(Effect.scoped(artifacts.stage(endless, 1000)))
      yield* Deferred.await(arrived)
      yield* Fiber.interrupt(fiber)
      yield* isAbsent(digestOf(bytes))
    }),
  )

  it.effect("a commit after its scope has closed does not store half of anything", () =>
    Effect.gen(function* () {
      const artifacts = yield* ArtifactStore
      const bytes = freshBytes(100)
      const scope = yield* Scope.make()
      const staged = yield* Scope.provide(artifacts.stage(Stream.make(bytes), 100), scope)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* reasonOf(staged.commit))._tag, "ArtifactStorageFailed")
      yield* isAbsent(staged.digest)
    }),
  )
}
