import { createHash } from "node:crypto"
import * as NodeFs from "node:fs/promises"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, DateTime, Deferred, Effect, Fiber, FileSystem, Layer, Logger, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ModelName } from "../../src/model/Names.ts"
import { UploadId } from "../../src/model/UploadSession.ts"
import { UploadInterrupted } from "../../src/registry/RegistryError.ts"
import { type LocalUploadStoreOptions, layerUploadStoreLocal } from "../../src/uploads/LocalUploadStore.ts"
import { segmentBytes } from "../../src/uploads/segments.ts"
import { type Checksum, UploadStore } from "../../src/uploads/UploadStore.ts"

const fs = <A>(operation: () => Promise<A>) => Effect.promise(operation)

const temporaryFolder = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  fs.makeTempDirectoryScoped({ prefix: "modelforge-test-" }),
).pipe(Effect.provide(NodeServices.layer))

/** The store on a folder, opened anew. */
const open = (folder: string, options?: LocalUploadStoreOptions) =>
  Effect.map(
    Layer.build(Layer.fresh(layerUploadStoreLocal(folder, options)).pipe(Layer.provide(NodeServices.layer))),
    (context) => Context.get(context, UploadStore),
  )

const id = UploadId.make("01234567-89ab-4cde-8f01-23456789abcd")
const plan = {
  model: ModelName.make("digits"),
  size: 10,
  digest: null,
  createModel: true,
  alias: null,
  force: false,
  description: "",
  createdBy: null,
  metadata: null,
  createdAt: DateTime.makeUnsafe(0),
}

const bytes = (content: string) => new TextEncoder().encode(content)
const append = (
  store: UploadStore["Service"],
  offset: number,
  content: string | Stream.Stream<Uint8Array, UploadInterrupted>,
  checksum?: Checksum,
) =>
  store.append(id, {
    offset,
    bytes: typeof content === "string" ? Stream.make(bytes(content)) : content,
    limit: plan.size - offset,
    checksum,
  })

const offsetOf = (store: UploadStore["Service"]) =>
  Effect.map(store.find(id), (found) => (Option.isSome(found) ? found.value.offset : undefined))

const contentOf = (store: UploadStore["Service"]) =>
  Effect.map(Stream.runCollect(store.read(id)), (chunks) => Buffer.concat(chunks).toString())

const names = (folder: string) => fs(async () => (await NodeFs.readdir(`${folder}/${id}`)).sort())

const begun = Effect.gen(function* () {
  const folder = `${yield* temporaryFolder}/made/for/it`
  const store = yield* open(folder)
  yield* store.insert(id, plan)
  return { folder, store }
})

const broken = new UploadInterrupted({ detail: "the connection broke" })

describe("what is on the disk", () => {
  it.effect("is told by the names of segments, and only its owner can read it", () =>
    Effect.gen(function* () {
      const { folder, store } = yield* begun
      assert.strictEqual(yield* append(store, 0, "abc"), 3)
      assert.strictEqual(yield* append(store, 3, "defg"), 7)
      assert.deepStrictEqual(yield* names(folder), ["0000000000000000", "0000000000000003", "session.json"])
      assert.strictEqual(yield* contentOf(store), "abcdefg")
      for (const [name, mode] of [
        [folder, 0o700],
        [`${folder}/${id}`, 0o700],
        [`${folder}/${id}/session.json`, 0o600],
        [`${folder}/${id}/0000000000000000`, 0o600],
      ] as const)
        assert.strictEqual((yield* fs(() => NodeFs.stat(name))).mode & 0o777, mode, name)
    }),
  )

  it.effect("is there when it is opened again, with all that was announced", () =>
    Effect.gen(function* () {
      const { folder, store } = yield* begun
      yield* TestClock.adjust("1 minute")
      yield* append(store, 0, "abc")
      const again = yield* open(folder)
      assert.deepStrictEqual(yield* again.list, [
        { id, plan, offset: 3, lastActivity: 60_000, outcome: undefined },
      ])
      assert.deepStrictEqual(yield* again.find(id), Option.some((yield* store.list)[0]))
    }),
  )

  it.effect("has no segment of a request without bytes", () =>
    Effect.gen(function* () {
      const { folder, store } = yield* begun
      assert.strictEqual(yield* append(store, 0, ""), 0)
      assert.deepStrictEqual(yield* names(folder), ["session.json"])
    }),
  )

  it.effect("is freed of what processes left that died", () =>
    Effect.gen(function* () {
      const { folder } = yield* begun
      const old = new Date(-2 * 3_600_000)
      for (const name of [`${folder}/.left`, `${folder}/${id}/.left`]) {
        yield* fs(() => NodeFs.writeFile(name, "half a segment"))
        yield* fs(() => NodeFs.utimes(name, old, old))
      }
      yield* fs(() => NodeFs.writeFile(`${folder}/${id}/.young`, "of a process that lives"))
      yield* open(folder)
      assert.deepStrictEqual(yield* names(folder), [".young", "session.json"])
      assert.deepStrictEqual(yield* fs(() => NodeFs.readdir(folder)), [id])
    }),
  )

  it.effect("may be damaged without hiding the others", () =>
    Effect.gen(function* () {
      const { folder, store } = yield* begun
      const other = "11111111-89ab-4cde-8f01-23456789abcd"
      yield* fs(() => NodeFs.mkdir(`${folder}/${other}`))
      yield* fs(() => NodeFs.writeFile(`${folder}/${other}/session.json`, '{"model":'))
      assert.deepStrictEqual(
        (yield* store.list).map((upload) => upload.id),
        [id],
      )
      const { reason } = yield* Effect.flip(store.find(UploadId.make(other)))
      assert.strictEqual(reason._tag, "UploadStorageFailed")
    }).pipe(Effect.provide(Logger.layer([]))),
  )

  it.effect("goes when it is removed, and its bytes when it has ended", () =>
    Effect.gen(function* () {
      const { folder, store } = yield* begun
      yield* append(store, 0, "0123456789")
      const reason = { _tag: "Refused", reason: broken } as const
      yield* store.conclude(id, reason)
      assert.deepStrictEqual(yield* names(folder), ["outcome.json", "session.json"])
      const [ended] = yield* (yield* open(folder)).list
      assert.deepStrictEqual(ended?.outcome, reason)
      assert.strictEqual(ended?.offset, plan.size)
      yield* store.remove(id)
      yield* store.remove(id)
      assert.isTrue(Option.isNone(yield* store.find(id)))
      assert.deepStrictEqual(yield* fs(() => NodeFs.readdir(folder)), [])
    }),
  )

  it.effect("is found also by who looked at it while it ended", () =>
    Effect.gen(function* () {
      const { folder, store } = yield* begun
      yield* append(store, 0, "0123456789")
      const listed = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<void>()
      // Looks on when the segments that it found are gone.
      const layerSlow = Layer.effect(
        FileSystem.FileSystem,
        Effect.map(FileSystem.FileSystem, (files) => ({
          ...files,
          readDirectory: (path: string) =>
            Effect.tap(files.readDirectory(path), () =>
              path.endsWith(id)
                ? Effect.andThen(Deferred.succeed(listed, undefined), Deferred.await(ended))
                : Effect.void,
            ),
        })),
      )
      const slow = yield* Effect.map(
        Layer.build(
          Layer.fresh(layerUploadStoreLocal(folder)).pipe(
            Layer.provide(layerSlow),
            Layer.provide(NodeServices.layer),
          ),
        ),
        (context) => Context.get(context, UploadStore),
      )
      const looking = yield* Effect.forkChild(slow.find(id))
      yield* Deferred.await(listed)
      const outcome = { _tag: "Refused", reason: broken } as const
      yield* store.conclude(id, outcome)
      yield* Deferred.succeed(ended, undefined)
      assert.deepStrictEqual(Option.getOrUndefined(yield* Fiber.join(looking))?.outcome, outcome)
    }),
  )
})

describe("segments", () => {
  it.effect("are kept while a request goes on, so that a crash takes one of them at most", () =>
    Effect.gen(function* () {
      const { folder, store } = yield* begun
      const mebibyte = new Uint8Array(2 ** 20)
      const arrived = yield* Deferred.make<void>()
      const mebibytes = 2.5 * (segmentBytes / mebibyte.length)
      const all = Stream.concat(
        Stream.fromIterable(Array.from({ length: mebibytes }, () => mebibyte)),
        Stream.fromEffect(Effect.andThen(Deferred.succeed(arrived, undefined), Effect.never)),
      )
      const piece = { offset: 0, bytes: all, limit: 2 ** 30 }
      const writer = yield* Effect.forkChild(store.append(id, piece))
      yield* Deferred.await(arrived)
      // What another process would find, were this one killed now.
      assert.strictEqual(yield* offsetOf(yield* open(folder)), 2 * segmentBytes)
      yield* Fiber.interrupt(writer)
      assert.strictEqual(yield* offsetOf(store), 2.5 * segmentBytes)
      assert.deepStrictEqual(
        (yield* names(folder)).filter((name) => name.startsWith(".")),
        [],
      )
    }),
  )

  it.effect("are one of two when two processes write at the same offset", () =>
    Effect.gen(function* () {
      const { folder, store } = yield* begun
      const other = yield* open(folder)
      const results = yield* Effect.all(
        [append(store, 0, "aaaa"), append(other, 0, "bbbb")].map((write) =>
          Effect.catchTag(write, "UploadError", ({ reason }) => Effect.succeed(reason)),
        ),
        { concurrency: "unbounded" },
      )
      const [why] = results.filter((result) => typeof result !== "number")
      assert.deepInclude({ ...why }, { _tag: "OffsetMismatch", sent: 0, offset: 4 })
      assert.include(results, 4)
      assert.strictEqual(yield* contentOf(store), results[0] === 4 ? "aaaa" : "bbbb")
    }),
  )

  it.effect("are not so many that they would cost more than the bytes", () =>
    Effect.gen(function* () {
      const { folder } = yield* begun
      const store = yield* open(folder, { maxSegments: 2 })
      yield* append(store, 0, "a")
      yield* append(store, 1, "b")
      const error = yield* Effect.flip(append(store, 2, "c"))
      assert.deepInclude(
        { ...("reason" in error ? error.reason : error) },
        { _tag: "UploadFragmented", limit: 2 },
      )
      assert.strictEqual(yield* contentOf(store), "ab")
    }),
  )

  it.effect("hold what came before a failure, and nothing beyond the announced size", () =>
    Effect.gen(function* () {
      const { store } = yield* begun
      const half = Stream.concat(Stream.make(bytes("abc")), Stream.fail(broken))
      assert.strictEqual(yield* Effect.flip(append(store, 0, half)), broken)
      assert.strictEqual(yield* offsetOf(store), 3)
      const more = Stream.make(bytes("defg"), bytes("hijklm"))
      const error = yield* Effect.flip(append(store, 3, more))
      assert.deepInclude(
        { ...("reason" in error ? error.reason : error) },
        { _tag: "UploadOverrun", size: 10 },
      )
      assert.strictEqual(yield* contentOf(store), "abcdefg")
    }),
  )
})

describe("a checksum", () => {
  for (const algorithm of ["sha1", "sha256"] as const) {
    const sum = (content: string): Checksum => ({
      algorithm,
      value: createHash(algorithm).update(content).digest(),
    })

    it.effect(`of ${algorithm} keeps all of a request or nothing`, () =>
      Effect.gen(function* () {
        const { folder, store } = yield* begun
        assert.strictEqual(yield* append(store, 0, "abc", sum("abc")), 3)
        const error = yield* Effect.flip(append(store, 3, "def", sum("xyz")))
        assert.deepInclude(
          { ...("reason" in error ? error.reason : error) },
          { _tag: "ChecksumMismatch", algorithm },
        )
        const half = Stream.concat(Stream.make(bytes("de")), Stream.fail(broken))
        assert.strictEqual(yield* Effect.flip(append(store, 3, half, sum("de"))), broken)
        assert.strictEqual(yield* contentOf(store), "abc")
        assert.deepStrictEqual(yield* names(folder), ["0000000000000000", "session.json"])
      }),
    )
  }
})
