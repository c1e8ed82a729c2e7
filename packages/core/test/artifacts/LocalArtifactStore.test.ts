import { createHash } from "node:crypto"
import * as NodeFs from "node:fs/promises"
import * as NodePath from "node:path"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Logger, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { ArtifactError } from "../../src/artifacts/ArtifactError.ts"
import { ArtifactStore } from "../../src/artifacts/ArtifactStore.ts"
import {
  layerArtifactStoreLocal,
  layerArtifactStoreTemporary,
} from "../../src/artifacts/LocalArtifactStore.ts"
import { Digest } from "../../src/model/Version.ts"
import { suite } from "../../src/testing/ArtifactStoreSuite.ts"

const temporaryFolder = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  fs.makeTempDirectoryScoped({ prefix: "modelforge-test-" }),
).pipe(Effect.provide(NodeServices.layer))

suite(
  "a folder",
  Layer.unwrap(
    Effect.map(temporaryFolder, (folder) => layerArtifactStoreLocal(`${folder}/made/for/it`)),
  ).pipe(Layer.provideMerge(NodeServices.layer)),
)

suite("a temporary folder", Layer.provideMerge(layerArtifactStoreTemporary, NodeServices.layer))

const content = new TextEncoder().encode("the bytes of a model")
const digest = Digest.make(createHash("sha256").update(content).digest("hex"))
const shard = (folder: string) => NodePath.join(folder, "sha256", digest.slice(0, 2))

const fs = <A>(operation: () => Promise<A>) => Effect.promise(operation)
const names = (folder: string) => fs(async () => (await NodeFs.readdir(folder)).sort())
const mode = (path: string) =>
  Effect.map(
    fs(() => NodeFs.stat(path)),
    (stat) => stat.mode & 0o777,
  )

/** The store on a folder, opened anew. */
const open = (folder: string) =>
  Effect.map(
    Layer.build(Layer.fresh(layerArtifactStoreLocal(folder)).pipe(Layer.provide(NodeServices.layer))),
    (context) => ArtifactStore.pipe(Effect.provideContext(context)),
  ).pipe(Effect.flatten)

const stage = (store: ArtifactStore["Service"]) => store.stage(Stream.make(content), content.length)

describe("what is on the disk", () => {
  it.effect("an artifact has its digest for a name, and never before it is whole and committed", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const store = yield* open(folder)
      const staged = yield* stage(store)
      assert.deepStrictEqual(yield* names(folder), ["sha256", "staging"])
      assert.deepStrictEqual(yield* names(`${folder}/sha256`), [])
      assert.strictEqual(NodePath.dirname(staged.file), `${folder}/staging`)
      yield* staged.commit
      assert.deepStrictEqual(yield* names(`${folder}/sha256`), [digest.slice(0, 2)])
      assert.deepStrictEqual(yield* names(shard(folder)), [digest])
      assert.strictEqual(yield* store.file(digest), `${shard(folder)}/${digest}`)
      // It is the very file that was staged and synced, under another name: it can't be there in part.
      const [before, after] = yield* fs(() =>
        Promise.all([NodeFs.stat(staged.file), NodeFs.stat(`${shard(folder)}/${digest}`)]),
      )
      assert.strictEqual(before.ino, after.ino)
    }),
  )

  it.effect("only its owner may look", () =>
    Effect.gen(function* () {
      const folder = `${yield* temporaryFolder}/store`
      const store = yield* open(folder)
      const staged = yield* stage(store)
      assert.strictEqual(yield* mode(staged.file), 0o600)
      yield* staged.commit
      assert.strictEqual(yield* mode(yield* store.file(digest)), 0o600)
      for (const path of [folder, `${folder}/staging`, `${folder}/sha256`, shard(folder)])
        assert.strictEqual(yield* mode(path), 0o700, path)
    }),
  )

  it.effect("survives the store, and is found by the next", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* Effect.scoped(Effect.flatMap(Effect.flatMap(open(folder), stage), ({ commit }) => commit))
      const store = yield* open(folder)
      const chunks = yield* Stream.runCollect(store.read(digest))
      assert.deepStrictEqual(new Uint8Array(Buffer.concat(chunks)), content)
    }),
  )

  it.effect("has absolute paths, also in a folder that was named from here", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const store = yield* open(NodePath.relative(process.cwd(), folder))
      const staged = yield* stage(store)
      yield* staged.commit
      assert.strictEqual(NodePath.dirname(staged.file), `${folder}/staging`)
      assert.strictEqual(yield* store.file(digest), `${shard(folder)}/${digest}`)
    }),
  )

  it.effect("a temporary folder goes with its layer", () =>
    Effect.gen(function* () {
      const file = yield* Effect.scoped(
        Effect.gen(function* () {
          const context = yield* Layer.build(
            Layer.fresh(layerArtifactStoreTemporary).pipe(Layer.provide(NodeServices.layer)),
          )
          const store = yield* Effect.provideContext(ArtifactStore, context)
          const { commit } = yield* stage(store)
          yield* commit
          return yield* store.file(digest)
        }),
      )
      const folder = NodePath.resolve(file, "../../..")
      assert.match(NodePath.basename(folder), /^modelforge-/)
      const gone = yield* fs(() =>
        NodeFs.stat(folder).then(
          () => false,
          () => true,
        ),
      )
      assert.isTrue(gone)
    }),
  )
})

describe("memory", () => {
  const chunk = new Uint8Array(100_000).fill(7)

  it.effect(
    "holds one chunk at a time while bytes arrive: the next is asked for when the last is written",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const store = yield* open(folder)
        const behind: Array<number> = []
        let given = 0
        const next = Effect.gen(function* () {
          const [name = ""] = yield* names(`${folder}/staging`)
          const { size } = yield* fs(() => NodeFs.stat(`${folder}/staging/${name}`))
          behind.push(given - size)
          given += chunk.length
          return chunk
        })
        const staged = yield* store.stage(
          Stream.take(Stream.repeat(Stream.fromEffect(next), Schedule.forever), 20),
          Number.MAX_SAFE_INTEGER,
        )
        assert.strictEqual(staged.size, 20 * chunk.length)
        assert.lengthOf(behind, 20)
        assert.isAtMost(Math.max(...behind), chunk.length)
      }),
  )

  it.effect("gives an artifact in pieces", () =>
    Effect.gen(function* () {
      const store = yield* open(yield* temporaryFolder)
      const staged = yield* store.stage(Stream.make(chunk, chunk, chunk, chunk), 400_000)
      yield* staged.commit
      const pieces = yield* Stream.runCollect(Stream.map(store.read(staged.digest), (piece) => piece.length))
      assert.isAtMost(Math.max(...pieces), 65_536)
      assert.strictEqual(
        pieces.reduce((sum, length) => sum + length, 0),
        400_000,
      )
    }),
  )
})

describe("damage", () => {
  const stored = Effect.gen(function* () {
    const folder = yield* temporaryFolder
    yield* Effect.scoped(Effect.flatMap(Effect.flatMap(open(folder), stage), ({ commit }) => commit))
    return { folder, file: `${shard(folder)}/${digest}` }
  })
  const damaged = Effect.gen(function* () {
    const { folder, file } = yield* stored
    yield* fs(() => NodeFs.writeFile(file, "THE bytes of a model"))
    const log: Array<string> = []
    const logging = Effect.provide(Logger.layer([Logger.make(({ message }) => log.push(String(message)))]))
    return { store: yield* open(folder), file, log, logging }
  })

  it.effect("is reported once with the file, and then refused without reading it again", () =>
    Effect.gen(function* () {
      const { store, file, log, logging } = yield* damaged
      for (let time = 0; time < 2; time++) {
        const error = yield* logging(Effect.flip(store.file(digest)))
        assert.deepInclude(error.reason, { _tag: "ArtifactCorrupt", digest })
        assert.notInclude(error.message, file)
      }
      assert.strictEqual(
        (yield* Effect.flip(Stream.runDrain(store.read(digest)))).reason._tag,
        "ArtifactCorrupt",
      )
      assert.deepStrictEqual(log, [`The bytes of artifact ${digest} are damaged in ${file}`])
    }),
  )

  it.effect("is found by a download too", () =>
    Effect.gen(function* () {
      const { store, log, logging } = yield* damaged
      const error = yield* logging(Effect.flip(Stream.runDrain(store.read(digest))))
      assert.strictEqual(error.reason._tag, "ArtifactCorrupt")
      assert.lengthOf(log, 1)
      assert.strictEqual((yield* Effect.flip(store.file(digest))).reason._tag, "ArtifactCorrupt")
    }),
  )

  it.effect("can be undone by putting a good copy in its place", () =>
    Effect.gen(function* () {
      const { store, file } = yield* damaged
      yield* Effect.flip(store.file(digest))
      yield* fs(() => NodeFs.writeFile(`${file}-copy`, content))
      yield* fs(() => NodeFs.rename(`${file}-copy`, file))
      assert.strictEqual(yield* store.file(digest), file)
    }),
  )

  it.effect("a file that was verified once is known by its inode, size and time", () =>
    Effect.gen(function* () {
      const { folder, file } = yield* stored
      const store = yield* open(folder)
      yield* Stream.runDrain(store.read(digest))
      // Other bytes that pass for the same file: whoever notices has read it again.
      const { atime, mtime } = yield* fs(() => NodeFs.stat(file))
      yield* fs(() => NodeFs.writeFile(file, "THE bytes of a model"))
      yield* fs(() => NodeFs.utimes(file, atime, mtime))
      assert.strictEqual(yield* store.file(digest), file)
    }),
  )
})

describe("what a process that died left in staging", () => {
  const day = 24 * 3_600_000
  const now = 1_800_000_000_000

  it.effect("is removed at the next start when nobody wrote to it for a day, and kept before", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* Effect.scoped(open(folder))
      const left = (name: string, age: number) =>
        fs(async () => {
          await NodeFs.writeFile(`${folder}/staging/${name}`, "half a mo")
          await NodeFs.utimes(`${folder}/staging/${name}`, (now - age) / 1000, (now - age) / 1000)
        })
      yield* left("old", day + 1000)
      yield* left("fresh", day - 1000)
      yield* fs(async () => {
        await NodeFs.mkdir(`${folder}/staging/odd/one`, { recursive: true })
        await NodeFs.utimes(`${folder}/staging/odd`, 0, 0)
        await NodeFs.symlink("/nowhere", `${folder}/staging/dangling`)
      })
      yield* TestClock.setTime(now)
      yield* open(folder)
      assert.deepStrictEqual(yield* names(`${folder}/staging`), ["dangling", "fresh"])
    }),
  )

  it.effect("is not taken for abandoned while it arrives", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const store = yield* open(folder)
      yield* TestClock.setTime(Date.now())
      const staged = yield* stage(store)
      yield* open(folder)
      yield* staged.commit
      assert.strictEqual(yield* store.file(digest), `${shard(folder)}/${digest}`)
    }),
  )
})

describe("a disk that fails says in which operation, and names no path", () => {
  const failure = <A, R>(effect: Effect.Effect<A, ArtifactError, R>) =>
    Effect.map(Effect.flip(effect), ({ reason, message }) => [reason._tag, message])
  const failedIn = (operation: string) => [
    "ArtifactStorageFailed",
    `The artifact storage failed in "${operation}"`,
  ]

  it.effect("when the folder is a file", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* fs(() => NodeFs.writeFile(`${folder}/store`, ""))
      assert.deepStrictEqual(yield* failure(open(`${folder}/store`)), failedIn("open"))
    }),
  )

  it.effect("when staging is gone", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const store = yield* open(folder)
      yield* fs(() => NodeFs.rm(`${folder}/staging`, { recursive: true }))
      assert.deepStrictEqual(yield* failure(stage(store)), failedIn("stage"))
    }),
  )

  it.effect("when an artifact can't be given its name", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const store = yield* open(folder)
      const staged = yield* stage(store)
      yield* fs(() => NodeFs.writeFile(shard(folder), ""))
      assert.deepStrictEqual(yield* failure(staged.commit), failedIn("commit"))
    }),
  )

  it.effect("when an artifact can't be read", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const store = yield* open(folder)
      yield* fs(() => NodeFs.mkdir(`${shard(folder)}/${digest}`, { recursive: true }))
      assert.deepStrictEqual(yield* failure(Stream.runDrain(store.read(digest))), failedIn("read"))
    }),
  )

  it.effect("when an artifact can't be looked for", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const store = yield* open(folder)
      yield* fs(() => NodeFs.symlink(shard(folder), shard(folder)))
      assert.deepStrictEqual(yield* failure(store.file(digest)), failedIn("file"))
    }),
  )
})
