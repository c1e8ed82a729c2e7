import * as NodeFs from "node:fs/promises"
import * as NodePath from "node:path"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, FileSystem, Logger, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { makeArtifactCache } from "../../src/artifacts/ArtifactCache.ts"
import { ArtifactError, ArtifactNotFound, ArtifactStorageFailed } from "../../src/artifacts/ArtifactError.ts"
import type { Digest } from "../../src/model/Version.ts"
import { bytesOf, digestOf } from "../fakes.ts"

const [a, b, c] = ["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"] as const

/** A store elsewhere, a folder for its artifacts, and what was logged. */
class Remote {
  readonly asked: Array<Digest> = []
  readonly log: Array<string> = []
  readonly objects = new Map<Digest, string>([a, b, c].map((content) => [digestOf(content), content]))
  /** Between the announcement and the bytes. */
  gate: Effect.Effect<void, ArtifactError> = Effect.void
  /** Bytes that do not come. */
  missing = 0

  readonly #layerLogs = Logger.layer([Logger.make(({ message }) => this.log.push(String(message)))])

  readonly fetch = (digest: Digest) =>
    Effect.suspend(() => {
      this.asked.push(digest)
      const content = this.objects.get(digest)
      if (content === undefined)
        return Effect.fail(new ArtifactError({ reason: new ArtifactNotFound({ digest }) }))
      const bytes = bytesOf(content)
      const chunks = Stream.make(bytes.subarray(0, 4), bytes.subarray(4, bytes.length - this.missing))
      return Effect.succeed({
        size: bytes.length,
        bytes: Stream.concat(Stream.drain(Stream.fromEffect(this.gate)), chunks),
      })
    })

  /** The cache as a process opens it, until the scope closes. */
  readonly open = (directory: string, maxBytes = 1000) =>
    makeArtifactCache({ directory, maxBytes, fetch: this.fetch }).pipe(
      Effect.provide([NodeServices.layer, this.#layerLogs]),
    )
  readonly logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, this.#layerLogs)
}

const fs = <A>(operation: () => Promise<A>) => Effect.promise(operation)
const temporaryFolder = FileSystem.FileSystem.use((fs) =>
  fs.makeTempDirectoryScoped({ prefix: "modelforge-test-" }),
).pipe(Effect.provide(NodeServices.layer))

type Cache = Effect.Success<ReturnType<Remote["open"]>>

const contentOf = (file: string) => fs(() => NodeFs.readFile(file, "utf8"))
const load = (cache: Cache, content: string) =>
  Effect.scoped(Effect.flatMap(cache.file(digestOf(content)), contentOf))
const readAll = (cache: Cache, content: string) =>
  Effect.map(Stream.runCollect(cache.read(digestOf(content))), (chunks) => Buffer.concat(chunks).toString())
const reason = <A, R>(effect: Effect.Effect<A, ArtifactError, R>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason)

/** The contents that are cached, by their digests. */
const cached = (folder: string) =>
  Effect.map(
    fs(() => NodeFs.readdir(`${folder}/sha256`, { recursive: true })),
    (names) => [a, b, c].filter((content) => names.some((name) => name.endsWith(digestOf(content)))),
  )
const nameOf = (folder: string, content: string) => {
  const digest = digestOf(content)
  return NodePath.join(folder, "sha256", digest.slice(0, 2), digest)
}
const staged = (folder: string) => fs(() => NodeFs.readdir(`${folder}/staging`))
const held = (folder: string) =>
  Effect.map(
    fs(() => NodeFs.readdir(`${folder}/held`, { recursive: true })),
    (names) => names.filter((name) => name.includes("/")).length,
  )

describe("an artifact", () => {
  it.effect("is fetched once, and then comes from the disk, whichever process asks", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      const [one, other] = [yield* remote.open(folder), yield* remote.open(folder)]
      assert.strictEqual(yield* load(one, a), a)
      assert.strictEqual(yield* load(one, a), a)
      assert.strictEqual(yield* load(other, a), a)
      assert.strictEqual(yield* readAll(other, a), a)
      assert.deepStrictEqual(remote.asked, [digestOf(a)])
      assert.deepStrictEqual(yield* staged(folder), [])
    }),
  )

  it.effect("that several ask for at once is fetched once", () =>
    Effect.gen(function* () {
      const remote = new Remote()
      const cache = yield* remote.open(yield* temporaryFolder)
      const gate = yield* Deferred.make<void>()
      remote.gate = Deferred.await(gate)
      const waiting = yield* Effect.forkChild(
        Effect.all([load(cache, a), load(cache, a), load(cache, a)], { concurrency: "unbounded" }),
      )
      while (remote.asked.length === 0) yield* Effect.yieldNow
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Fiber.join(waiting), [a, a, a])
      assert.deepStrictEqual(remote.asked, [digestOf(a)])
    }),
  )

  it.effect("goes on arriving for those who still wait, and is given up when nobody does", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      const cache = yield* remote.open(folder)
      const gate = yield* Deferred.make<void>()
      remote.gate = Deferred.await(gate)
      const first = yield* Effect.forkChild(load(cache, a))
      while (remote.asked.length === 0) yield* Effect.yieldNow
      const second = yield* Effect.forkChild(load(cache, a))
      const alone = yield* Effect.forkChild(load(cache, b))
      while (remote.asked.length < 2) yield* Effect.yieldNow
      yield* Effect.all([Fiber.interrupt(first), Fiber.interrupt(alone)])
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(second), a)
      assert.deepStrictEqual(yield* cached(folder), [a])
      assert.deepStrictEqual(yield* staged(folder), [])
    }),
  )

  it.effect("that was uploaded here need not be fetched", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      const cache = yield* remote.open(folder)
      yield* Effect.scoped(Effect.flatMap(cache.stage(Stream.make(bytesOf(a)), 10), cache.adopt))
      assert.strictEqual(yield* load(cache, a), a)
      assert.deepStrictEqual(remote.asked, [])
    }),
  )

  it.effect("that is only read is not kept", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      const cache = yield* remote.open(folder)
      assert.strictEqual(yield* readAll(cache, a), a)
      assert.deepStrictEqual(yield* cached(folder), [])
    }),
  )

  it.effect("that the store has not is asked for again by who asks again", () =>
    Effect.gen(function* () {
      const remote = new Remote()
      const cache = yield* remote.open(yield* temporaryFolder)
      const unknown = digestOf("unknown")
      // Within one scope: a failure is not held.
      assert.strictEqual((yield* reason(cache.file(unknown)))._tag, "ArtifactNotFound")
      assert.strictEqual((yield* reason(Stream.runDrain(cache.read(unknown))))._tag, "ArtifactNotFound")
      remote.objects.set(unknown, "unknown")
      assert.strictEqual(yield* contentOf(yield* cache.file(unknown)), "unknown")
    }),
  )
})

describe("the bound", () => {
  it.effect("is kept by removing what was not used for longest", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      const cache = yield* remote.open(folder, 25)
      for (const content of [a, b, a, c]) {
        yield* load(cache, content)
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(yield* cached(folder), [a, c])
      yield* Effect.scoped(Effect.flatMap(cache.stage(Stream.make(bytesOf(b)), 10), cache.adopt))
      assert.deepStrictEqual(yield* cached(folder), [b, c])
    }),
  )

  it.effect("counts what was used until its use ended", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      const cache = yield* remote.open(folder, 25)
      const using = yield* Scope.make()
      yield* Scope.provide(cache.file(digestOf(a)), using)
      yield* TestClock.adjust("1 second")
      yield* load(cache, b)
      yield* TestClock.adjust("1 second")
      yield* Scope.close(using, Exit.void)
      yield* TestClock.adjust("1 second")
      yield* load(cache, c)
      assert.deepStrictEqual(yield* cached(folder), [a, c])
    }),
  )

  it.effect("never costs a file that somebody uses, here or in another process", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      const [one, other] = [yield* remote.open(folder, 15), yield* remote.open(folder, 15)]
      const [first, second] = [yield* one.file(digestOf(a)), yield* other.file(digestOf(b))]
      assert.strictEqual(yield* load(one, c), c)
      // What did not fit either goes as soon as nobody uses it.
      assert.deepStrictEqual(yield* cached(folder), [a, b])
      assert.deepStrictEqual([yield* contentOf(first), yield* contentOf(second)], [a, b])
      assert.include(remote.log.join("\n"), "needs 20 bytes for what is in use, more than its bound of 15")
    }),
  )

  it.effect("does not keep an artifact out that is larger", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      const cache = yield* remote.open(folder, 5)
      assert.strictEqual(yield* load(cache, a), a)
      assert.deepStrictEqual(yield* cached(folder), [])
    }),
  )

  it.effect("is kept when several have arrived at once", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      const cache = yield* remote.open(folder, 15)
      yield* Effect.forEach([a, b, c], (content) => load(cache, content), { concurrency: "unbounded" })
      assert.lengthOf(yield* cached(folder), 1)
    }),
  )

  it.effect("a process that died holds its files for ten minutes, a living one as long as it likes", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      const cache = yield* remote.open(folder, 15)
      const living = yield* cache.file(digestOf(a))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const file = yield* cache.file(digestOf(b))
          // As a killed process leaves it.
          yield* fs(async () => {
            await NodeFs.mkdir(`${folder}/held/dead`)
            await NodeFs.link(file, `${folder}/held/dead/1-${digestOf(b)}`)
            await NodeFs.utimes(`${folder}/held/dead`, 0, 0)
          })
        }),
      )
      yield* TestClock.adjust("9 minutes")
      yield* load(cache, c)
      assert.deepStrictEqual(yield* cached(folder), [a, b])
      for (let minute = 0; minute < 2; minute++) {
        yield* TestClock.adjust("1 minute")
        // The sign of life is a file's time, which takes real time to set.
        yield* Effect.yieldNow
      }
      yield* load(yield* remote.open(folder, 15), c)
      assert.deepStrictEqual(yield* cached(folder), [a])
      assert.strictEqual(yield* contentOf(living), a)
    }),
  )

  it.effect("nothing is held when the process has closed", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      yield* Effect.scoped(
        Effect.gen(function* () {
          const cache = yield* remote.open(folder)
          yield* cache.file(digestOf(a))
          assert.strictEqual(yield* held(folder), 1)
        }),
      )
      assert.deepStrictEqual(yield* fs(() => NodeFs.readdir(`${folder}/held`)), [])
      assert.deepStrictEqual(yield* cached(folder), [a])
    }),
  )
})

describe("damage", () => {
  const damage = (folder: string, content: string) =>
    fs(() => NodeFs.writeFile(nameOf(folder, content), content.replace(/^./, "X")))

  it.effect("of a cached copy is found by the next process, reported, and mended", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      yield* Effect.scoped(Effect.flatMap(remote.open(folder), (cache) => load(cache, a)))
      yield* damage(folder, a)
      const cache = yield* remote.open(folder)
      assert.strictEqual(yield* remote.logged(load(cache, a)), a)
      assert.include(remote.log.join("\n"), `cached copy of artifact ${digestOf(a)} is damaged`)
      assert.lengthOf(remote.asked, 2)
      assert.strictEqual(yield* fs(() => NodeFs.readFile(nameOf(folder, a), "utf8")), a)
    }),
  )

  it.effect("of a cached copy is found by a process that used it before", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      const cache = yield* remote.open(folder)
      yield* load(cache, a)
      yield* damage(folder, a)
      assert.strictEqual(yield* readAll(cache, a), a)
      assert.lengthOf(remote.asked, 2)
    }),
  )

  it.effect("of the store's own bytes says so, and they are not cached", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      const cache = yield* remote.open(folder)
      const digest = digestOf(a)
      remote.objects.set(digest, `X${a.slice(1)}`)
      const failed = yield* remote.logged(reason(Effect.scoped(cache.file(digest))))
      assert.deepInclude(failed, { _tag: "ArtifactCorrupt", digest })
      assert.include(failed.message, "are damaged: put a good copy in their place")
      assert.include(remote.log.join("\n"), `The bytes of artifact ${digest} are damaged in the store`)
      assert.deepStrictEqual(yield* cached(folder), [])
      assert.deepStrictEqual(yield* staged(folder), [])
      const given: Array<Uint8Array> = []
      const read = Stream.runForEach(cache.read(digest), (chunk) => Effect.sync(() => given.push(chunk)))
      assert.strictEqual((yield* reason(read))._tag, "ArtifactCorrupt")
      assert.isBelow(Buffer.concat(given).length, a.length)
    }),
  )

  it.effect("a transfer that breaks off is tried again, three times in all", () =>
    Effect.gen(function* () {
      const remote = new Remote()
      const cache = yield* remote.open(yield* temporaryFolder)
      remote.missing = 1
      const failing = yield* Effect.forkChild(reason(Effect.scoped(cache.file(digestOf(a)))))
      for (let attempt = 1; attempt <= 3; attempt++) {
        while (remote.asked.length < attempt) yield* TestClock.adjust("400 millis")
      }
      assert.deepInclude(yield* Fiber.join(failing), { _tag: "ArtifactStorageFailed", operation: "fetch" })
      assert.lengthOf(remote.asked, 3)
      remote.missing = 0
      assert.strictEqual(yield* load(cache, a), a)
    }),
  )

  it.effect("a store that refuses is not asked again at once", () =>
    Effect.gen(function* () {
      const remote = new Remote()
      const cache = yield* remote.open(yield* temporaryFolder)
      yield* reason(Effect.scoped(cache.file(digestOf("unknown"))))
      assert.lengthOf(remote.asked, 1)
    }),
  )

  it.effect("a disk that fails says in which operation, and names no path", () =>
    Effect.gen(function* () {
      const [remote, folder] = [new Remote(), yield* temporaryFolder]
      yield* fs(() => NodeFs.writeFile(`${folder}/file`, ""))
      const opened = yield* reason(Effect.scoped(remote.open(`${folder}/file`)))
      assert.strictEqual(opened.message, `The artifact storage failed in "open the cache"`)
      const cache = yield* remote.open(folder)
      yield* fs(() => NodeFs.mkdir(nameOf(folder, a), { recursive: true }))
      const looked = yield* reason(Effect.scoped(cache.file(digestOf(a))))
      assert.instanceOf(looked, ArtifactStorageFailed)
      assert.strictEqual(looked.message, `The artifact storage failed in "look into the cache"`)
    }),
  )
})
