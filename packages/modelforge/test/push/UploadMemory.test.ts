import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { UploadId } from "@modelforge/core"
import { ConfigProvider, Effect, FileSystem, Option } from "effect"
import { makeUploadMemory, stateFolder } from "../../src/push/UploadMemory.ts"

const inFolder = <A, E>(
  test: (folder: string, fs: FileSystem.FileSystem) => Effect.Effect<A, E, NodeServices.NodeServices>,
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* test(yield* fs.makeTempDirectoryScoped({ prefix: "modelforge-push-" }), fs)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

const id = UploadId.make("0b0ff7a4-34ab-4a8e-8a4a-6c0f8c8d6b1e")
const what = ["http://127.0.0.1:8080", "wine", "digest", null, false]

describe("the memory of unfinished uploads", () => {
  it.effect("outlives the command, for its owner only, and tells apart what is sent where", () =>
    inFolder((root, fs) =>
      Effect.gen(function* () {
        const folder = `${root}/state/uploads`
        const memory = (about: typeof what) => makeUploadMemory(Option.some(folder), about)
        const first = yield* memory(what)
        assert.deepStrictEqual(yield* first.recall, Option.none())
        assert.isFalse(yield* first.isKept)
        yield* first.remember(id)
        assert.isTrue(yield* first.isKept)

        const [name = ""] = yield* fs.readDirectory(folder)
        assert.match(name, /^[0-9a-f]{64}$/)
        assert.strictEqual((yield* fs.stat(`${folder}/${name}`)).mode & 0o777, 0o600)
        for (const made of [folder, `${root}/state`])
          assert.strictEqual((yield* fs.stat(made)).mode & 0o777, 0o700)

        assert.deepStrictEqual(yield* (yield* memory(what)).recall, Option.some(id))
        const other = yield* memory([...what.slice(0, -1), true])
        assert.deepStrictEqual(yield* other.recall, Option.none())

        yield* first.forget
        assert.deepStrictEqual(yield* first.recall, Option.none())
        assert.deepStrictEqual(yield* fs.readDirectory(folder), [])
      }),
    ),
  )

  it.effect("drops what is a month old, and what is no upload's", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const old = yield* makeUploadMemory(Option.some(folder), ["old"])
        yield* old.remember(id)
        const [name = ""] = yield* fs.readDirectory(folder)
        // The clock of the test stands at 1970.
        yield* fs.utimes(`${folder}/${name}`, new Date(0), new Date(-31 * 86_400_000))
        const memory = yield* makeUploadMemory(Option.some(folder), what)
        yield* memory.remember(id)
        assert.isFalse(yield* old.isKept)
        assert.isTrue(yield* memory.isKept)
        const [kept = ""] = yield* fs.readDirectory(folder)
        yield* fs.writeFileString(`${folder}/${kept}`, "../../elsewhere")
        assert.deepStrictEqual(
          yield* (yield* makeUploadMemory(Option.some(folder), what)).recall,
          Option.none(),
        )
      }),
    ),
  )

  it.effect("ends with the command where nothing can be written", () =>
    inFolder((root, fs) =>
      Effect.gen(function* () {
        yield* fs.writeFileString(`${root}/file`, "")
        for (const folder of [Option.none(), Option.some(`${root}/file/uploads`)]) {
          const memory = yield* makeUploadMemory(folder, what)
          yield* memory.remember(id)
          assert.deepStrictEqual(yield* memory.recall, Option.some(id))
          assert.isFalse(yield* memory.isKept)
          yield* memory.forget
          assert.deepStrictEqual(yield* memory.recall, Option.none())
        }
      }),
    ),
  )

  it.effect("lies where the state of programs lies", () =>
    Effect.gen(function* () {
      for (const [env, folder] of [
        [{ HOME: "/home/ada" }, "/home/ada/.local/state/modelforge/uploads"],
        [{ HOME: "/home/ada", XDG_STATE_HOME: "/state" }, "/state/modelforge/uploads"],
        [{ HOME: "/home/ada", XDG_STATE_HOME: "state" }, "/home/ada/.local/state/modelforge/uploads"],
        [{}, undefined],
      ] as const) {
        const found = yield* Effect.provideService(
          stateFolder,
          ConfigProvider.ConfigProvider,
          ConfigProvider.fromUnknown(env),
        )
        assert.strictEqual(Option.getOrUndefined(found), folder)
      }
    }).pipe(Effect.provide(NodeServices.layer)),
  )
})
