import { createHash } from "node:crypto"
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem, Stream } from "effect"
import { lookAtModelFile, type ModelFile } from "../../src/push/ModelFile.ts"

const inFolder = <A, E>(
  test: (folder: string, fs: FileSystem.FileSystem) => Effect.Effect<A, E, NodeServices.NodeServices>,
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* test(yield* fs.makeTempDirectoryScoped({ prefix: "modelforge-push-" }), fs)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251))

const opened = (path: string, read: (bytes: number) => void = () => {}) =>
  Effect.flatMap(lookAtModelFile(path), ({ hashed }) => hashed(read))

const part = (file: ModelFile, offset: number, length: number) =>
  Effect.map(Stream.runCollect(file.bytes(offset, length)), (chunks) => Buffer.concat(chunks))

it.effect("a file is hashed in pieces, and read again from anywhere", () =>
  inFolder((folder, fs) =>
    Effect.gen(function* () {
      const path = `${folder}/model.onnx`
      yield* fs.writeFile(path, bytes)
      const { name, size } = yield* lookAtModelFile(path)
      assert.deepStrictEqual([name, size], ["model.onnx", bytes.length])
      const positions: Array<number> = []
      const file = yield* opened(path, (position) => positions.push(position))
      assert.strictEqual(file.digest, createHash("sha256").update(bytes).digest("hex"))
      assert.isAbove(positions.length, 1)
      assert.strictEqual(positions.at(-1), bytes.length)
      for (const [offset, length] of [
        [0, bytes.length],
        [100_000, 150_000],
        [bytes.length - 1, 1],
      ] as const)
        assert.isTrue((yield* part(file, offset, length)).equals(bytes.subarray(offset, offset + length)))
    }),
  ),
)

it.effect("what is no file with bytes is refused in words", () =>
  inFolder((folder, fs) =>
    Effect.gen(function* () {
      yield* fs.writeFileString(`${folder}/empty`, "")
      for (const [path, says] of [
        [`${folder}/none`, `There is no file ${folder}/none`],
        [folder, `${folder} is a folder: name the model's file in it`],
        ["/dev/null", "/dev/null is not a file"],
        [`${folder}/empty`, `${folder}/empty is empty`],
        [`${folder}/empty/model`, /empty\/model can't be read: /],
      ] as const) {
        const { message } = yield* Effect.flip(lookAtModelFile(path))
        if (typeof says === "string") assert.strictEqual(message, says)
        else assert.match(message, says)
      }
    }),
  ),
)

it.effect("a file that is written to meanwhile is not sent", () =>
  inFolder((folder, fs) =>
    Effect.gen(function* () {
      const path = `${folder}/model.onnx`
      yield* fs.writeFile(path, bytes)
      const file = yield* opened(path)
      yield* fs.truncate(path, 200_000)
      const { message } = yield* Effect.flip(part(file, 0, bytes.length))
      assert.match(message, /model\.onnx was changed while it was sent/)
    }),
  ),
)

it.effect("a file that is cut while it is read ends with a failure, not early", () =>
  inFolder((folder, fs) =>
    Effect.gen(function* () {
      const path = `${folder}/model.onnx`
      yield* fs.writeFile(path, bytes)
      const file = yield* opened(path)
      const failure = yield* file.bytes(0, bytes.length).pipe(
        Stream.tap(() => fs.truncate(path, 1)),
        Stream.runDrain,
        Effect.flip,
      )
      assert.match(failure.message, /was changed/)
    }),
  ),
)
