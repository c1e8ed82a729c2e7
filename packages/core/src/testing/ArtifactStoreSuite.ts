/** The behaviour of every `ArtifactStore`: a store is supported when this passes on it. */
import { createHash } from "node:crypto"
import { assert, type Vitest, layer as withLayer } from "@effect/vitest"
import {
  DateTime,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FileSystem,
  type Layer,
  Result,
  Scope,
  Stream,
} from "effect"
import type { ArtifactError } from "../artifacts/ArtifactError.ts"
import { ArtifactStore } from "../artifacts/ArtifactStore.ts"
import { Digest } from "../model/Version.ts"

type Needs = ArtifactStore | FileSystem.FileSystem

/** Bytes that no other test has, so that the suite may run again and again on one store. */
const freshBytes = (size: number): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(size)
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536))
  return bytes
}

const digestOf = (bytes: Uint8Array) => Digest.make(createHash("sha256").update(bytes).digest("hex"))

const inChunks = (bytes: Uint8Array, size: number): Stream.Stream<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
  return Stream.fromIterable(chunks)
}

const readAll = Effect.fnUntraced(function* (digest: Digest) {
  const store = yield* ArtifactStore
  const chunks = yield* Stream.runCollect(store.read(digest))
  return new Uint8Array(Buffer.concat(chunks))
})

const contentOf = (file: string) => FileSystem.FileSystem.use((fs) => fs.readFile(file))

const reasonOf = <A, R>(effect: Effect.Effect<A, ArtifactError, R>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason)

/** Neither way to the bytes finds any. */
const isAbsent = Effect.fnUntraced(function* (digest: Digest) {
  const store = yield* ArtifactStore
  for (const reason of [
    yield* reasonOf(Effect.scoped(store.file(digest))),
    yield* reasonOf(Stream.runDrain(store.read(digest))),
  ]) {
    assert.deepInclude(reason, { _tag: "ArtifactNotFound", digest })
    assert.strictEqual(reason.message, `There is no artifact ${digest}`)
  }
})

const isStored = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const store = yield* ArtifactStore
  const digest = digestOf(bytes)
  assert.isTrue(Buffer.from(bytes).equals(yield* readAll(digest)))
  const content = yield* Effect.scoped(Effect.flatMap(store.file(digest), contentOf))
  assert.isTrue(Buffer.from(bytes).equals(content))
})

const store = Effect.fnUntraced(function* (bytes: Uint8Array, chunkSize = 4096) {
  const artifacts = yield* ArtifactStore
  const staged = yield* artifacts.stage(inChunks(bytes, chunkSize), bytes.length)
  yield* staged.commit
  return staged
}, Effect.scoped)

const storing = (it: Vitest.MethodsNonLive<Needs>) => {
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

const staging = (it: Vitest.MethodsNonLive<Needs>) => {
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

const refusing = (it: Vitest.MethodsNonLive<Needs>) => {
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

const verifying = (it: Vitest.MethodsNonLive<Needs>) => {
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

const removing = (it: Vitest.MethodsNonLive<Needs>) => {
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

/** Registers the tests; call it at the top of a test file. The layer is built once. */
export const suite = <E>(name: string, storeLayer: Layer.Layer<Needs, E>) =>
  withLayer(storeLayer, { timeout: "60 seconds", excludeTestServices: true })(
    `ArtifactStore (${name})`,
    (it) => {
      storing(it)
      staging(it)
      refusing(it)
      verifying(it)
      removing(it)
    },
  )
