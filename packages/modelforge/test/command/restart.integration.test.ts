import { readdirSync, readFileSync, utimesSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { exampleModels } from "@modelforge/example-models"
import { Effect } from "effect"
import * as onnx from "../../../onnx/test/onnxFile.ts"
import { eventually, nothingRunsIn } from "../../../postgres/test/embedded/harness.ts"
import { type RunningServer, sharedFolder, startServer } from "./command.ts"
import { get, predict, send, type Target, upload } from "./http.ts"

const folder = sharedFolder()
const start = Effect.flatMap(folder, (folder) => startServer({ folder }))

const fileOf = (name: string) => readFileSync(exampleModels.find((model) => model.name === name)?.file ?? "")

/** The same model in other bytes. */
const annotated = (file: Uint8Array, text: string) => onnx.concat(file, onnx.bytes(6, text))

/** Everything that people manage, as the API tells it. */
const everything = Effect.fnUntraced(function* (target: Target) {
  const models = yield* get(target, "/v1/models")
  const versions = yield* get(target, "/v1/models/digits/versions")
  assert.strictEqual(versions.status, 200)
  return { models: models.json, versions: versions.json }
})

const image = { image: [[Array.from({ length: 8 }, () => Array.from({ length: 8 }, () => 0.5))]] }

const assertServes = Effect.fnUntraced(function* ({ target }: RunningServer) {
  assert.strictEqual((yield* predict(target, "digits", image)).version, 1, "production stays at version 1")
  const staged = yield* send(target, "POST", "/v2/models/digits/versions/canary/infer", {
    json: { inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data: Array(64).fill(0.5) }] },
  })
  assert.deepInclude(staged.json, { model_version: "2" })
})

/** Two versions of digits with an alias each, a model that was deleted, and one without versions. */
const populate = Effect.fnUntraced(function* ({ target }: RunningServer) {
  const digits = fileOf("digits")
  const path = (model: string, alias: string) => `/v1/models/${model}/versions?create=true&alias=${alias}`
  for (const [file, alias] of [
    [digits, "production"],
    [annotated(digits, "second"), "canary"],
  ] as const) {
    const { status } = yield* send(target, "POST", path("digits", alias), { body: file })
    assert.strictEqual(status, 201)
  }
  assert.strictEqual((yield* upload(target, "gone", fileOf("wine"))).status, 201)
  assert.strictEqual((yield* send(target, "DELETE", "/v1/models/gone")).status, 204)
  assert.strictEqual(
    (yield* send(target, "POST", "/v1/models", { json: { name: "empty", tags: ["new"] } })).status,
    201,
  )
  return yield* everything(target)
})

describe("models, versions and aliases", () => {
  it.live("are the same after an orderly restart, and after kill -9 in the middle of an upload", () =>
    Effect.gen(function* () {
      const stored = yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* start
          const stored = yield* populate(server)
          yield* assertServes(server)
          yield* server.signal("SIGTERM")
          assert.strictEqual(yield* server.exit, 0)
          return stored
        }),
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* start
          assert.deepStrictEqual(yield* everything(server.target), stored)
          yield* assertServes(server)
          yield* Effect.forkScoped(Effect.exit(upload(server.target, "half", endless())))
          yield* eventually("the upload is staged", () => staging(server).length === 1)
          yield* server.signal("SIGKILL")
          yield* nothingRunsIn(server.folder)
        }),
      )
      const server = yield* start
      assert.deepStrictEqual(yield* everything(server.target), stored)
      yield* assertServes(server)
    }),
  )

  it.live("what a killed upload left is removed a day later", () =>
    Effect.gen(function* () {
      const name = yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* start
          const [name = "", ...others] = staging(server)
          assert.deepStrictEqual(others, [])
          return `${server.folder}/.modelforge/artifacts/staging/${name}`
        }),
      )
      const yesterday = Date.now() / 1000 - 25 * 3600
      utimesSync(name, yesterday, yesterday)
      assert.deepStrictEqual(staging(yield* start), [])
    }),
  )
})

const staging = ({ folder }: RunningServer) => readdirSync(`${folder}/.modelforge/artifacts/staging`)

/** A file of which there is always more to come. */
async function* endless() {
  const digits = fileOf("digits")
  yield digits.subarray(0, 100_000)
  await new Promise(() => {})
}
