import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { SecretKey } from "@modelforge/core"
import { Effect, FileSystem, Redacted } from "effect"
import { layerSecretKey } from "../src/secretKeyFile.ts"

const signature = (dataDirectory: string, secret?: string) =>
  SecretKey.useSync((key) => Buffer.from(key.sign("cursor", "x")).toString("hex")).pipe(
    Effect.provide(
      layerSecretKey({
        dataDirectory,
        secretKey: secret === undefined ? undefined : Redacted.make(secret),
      }),
      { local: true },
    ),
  )

const inFolder = <A, E>(
  test: (folder: string, fs: FileSystem.FileSystem) => Effect.Effect<A, E, NodeServices.NodeServices>,
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* test(yield* fs.makeTempDirectoryScoped({ prefix: "modelforge-secret-" }), fs)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

it.effect("a secret is made once, kept for its owner only, and found again", () =>
  inFolder((folder, fs) =>
    Effect.gen(function* () {
      const first = yield* signature(folder)
      assert.strictEqual(yield* signature(folder), first)
      const { mode } = yield* fs.stat(`${folder}/secret.key`)
      assert.strictEqual(mode & 0o777, 0o600)
      assert.deepStrictEqual(yield* fs.readDirectory(folder), ["secret.key"])
      // A set one wins, and is not kept.
      const set = yield* signature(folder, "a secret that was set, long enough")
      assert.notStrictEqual(set, first)
      assert.strictEqual(yield* signature(folder), first)
    }),
  ),
)

it.effect("what a killed server left half-written is made anew", () =>
  inFolder((folder, fs) =>
    Effect.gen(function* () {
      yield* fs.writeFileString(`${folder}/secret.key.new`, "half")
      yield* signature(folder)
      assert.deepStrictEqual(yield* fs.readDirectory(folder), ["secret.key"])
    }),
  ),
)

it.effect("a kept secret that can't be one is refused, and not told", () =>
  inFolder((folder, fs) =>
    Effect.gen(function* () {
      yield* fs.writeFileString(`${folder}/secret.key`, "hunter2")
      const error = yield* Effect.flip(signature(folder))
      assert.match(error.message, /secret\.key can't be used: it has less than 32 bytes. Set SECRET_KEY/)
      assert.notInclude(error.message, "hunter2")
      yield* fs.remove(`${folder}/secret.key`)
      yield* fs.makeDirectory(`${folder}/secret.key`)
      assert.match((yield* Effect.flip(signature(folder))).message, /can't be used/)
    }),
  ),
)
