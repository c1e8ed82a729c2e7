import { assert, describe, it } from "@effect/vitest"
import { LoadFailed, type ModelConfig, RuntimeError } from "@modelforge/core"
import { Effect } from "effect"
import { json, mountWeb, withModel } from "../Mount.ts"
import { body, isProblem } from "./problems.ts"

const post = { method: "POST" }
const config = "/v1/models/digits/config"
const predict = json({ inputs: { x: [[1, 2]] } })

describe("the config of a model", () => {
  it.effect("is empty at first, replaced as a whole, and shown with the model", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const { call } = mount
      yield* withModel(mount, "digits")
      assert.deepStrictEqual((yield* call(config)).json, {})
      const first: ModelConfig = {
        batching: { maxBatchSize: 16, maxDelayMs: 5 },
        queue: { maxDepth: 10, maxBytes: 1_000_000, timeoutMs: 2000 },
        runLimitMs: 3000,
        instances: 2,
        intraOpThreads: 1,
        execution: "process",
        warmup: { runs: 2, inputs: { x: [[1, 2]] } },
      }
      const put = yield* call(config, json(first, "PUT"))
      assert.deepStrictEqual([put.status, put.json], [200, first])
      assert.deepStrictEqual((yield* call(config)).json, first)
      assert.deepStrictEqual(body(yield* call("/v1/models/digits"))["config"], first)
      const second = { execution: "inline" }
      yield* call(config, json(second, "PUT"))
      assert.deepStrictEqual(body(yield* call("/v1/models/digits"))["config"], second)
    }),
  )

  it.effect("names what is wrong, what it does not know included, and stays as it was", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const { call } = mount
      yield* withModel(mount, "digits")
      yield* call(config, json({ instances: 1 }, "PUT"))
      for (const [wrong, path] of [
        [{ instances: 0 }, "instances"],
        [{ instances: 1.5 }, "instances"],
        [{ batching: { maxBatchSize: 5000 } }, "batching.maxBatchSize"],
        [{ batching: { maxDelayMs: -1 } }, "batching.maxDelayMs"],
        [{ queue: { maxDepth: "ten" } }, "queue.maxDepth"],
        [{ execution: "gpu" }, "execution"],
        [{ runLimitMs: 0 }, "runLimitMs"],
        [{ warmup: { inputs: { x: "x".repeat(70_000) } } }, "warmup.inputs"],
        [{ cache: { enabled: true } }, "cache"],
        [{ batching: { maxBatch: 5 } }, "batching.maxBatch"],
      ] as const) {
        const refused = yield* call(config, json(wrong, "PUT"))
        isProblem(refused, 422, "invalid-request")
        const { errors } = body(refused)
        assert.deepInclude(
          (errors as Array<{ path: string }>).map((error) => error.path),
          path,
        )
      }
      assert.deepStrictEqual((yield* call(config)).json, { instances: 1 })
      isProblem(yield* call("/v1/models/none/config", json({}, "PUT")), 404, "model-not-found")
      isProblem(yield* call("/v1/models/none/config"), 404, "model-not-found")
    }),
  )

  it.effect("takes a sample that a ready version takes, and says why none does", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const { call } = mount
      const put = (inputs: unknown, model = "digits") =>
        call(`/v1/models/${model}/config`, json({ warmup: { inputs } }, "PUT"))
      yield* call("/v1/models", json({ name: "empty" }))
      assert.strictEqual((yield* put({ any: 1 }, "empty")).status, 200)

      yield* withModel(mount, "digits", ["floats", "word"])
      for (const fits of [{ x: [[1, 2]] }, { x: ["a"] }])
        assert.strictEqual((yield* put(fits)).status, 200, JSON.stringify(fits))
      for (const [inputs, path] of [
        [{ x: [1, 2] }, "warmup.inputs.x"],
        [{}, "warmup.inputs.x"],
        [{ x: ["a"], more: [1] }, "warmup.inputs.more"],
      ] as const) {
        const refused = yield* put(inputs)
        isProblem(refused, 422, "invalid-request")
        const [error] = body(refused)["errors"] as ReadonlyArray<{ path: string; message: string }>
        assert.isTrue(error?.path.startsWith(path), refused.text)
        assert.match(String(error?.message), /\(of version 2; no ready version takes this sample\)$/)
      }
    }),
  )

  it.effect("decides how the model is loaded, how many may wait, and for how long", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const { call, forge } = mount
      yield* withModel(mount, "digits")
      yield* call(config, json({ instances: 3, queue: { maxDepth: 1, timeoutMs: 50 } }, "PUT"))
      const gate = Promise.withResolvers<void>()
      forge.run = async () => {
        await gate.promise
        throw new Error("nobody waits")
      }
      // The load is held up by its warm-up; its request is given up after its time.
      const late = yield* call("/v1/models/digits/predict", predict)
      isProblem(late, 504, "deadline-exceeded")
      assert.include(late.text, "within the 50 ms")
      assert.strictEqual(forge.placements.at(-1)?.instances, 3)
      gate.resolve()
    }),
  )
})

describe("loading and unloading", () => {
  it.effect("answer with the version and what became of it", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const { call } = mount
      yield* withModel(mount, "digits")
      const version = "/v1/models/digits/versions/1"
      assert.deepStrictEqual(body(yield* call(version))["serving"], { state: "unloaded", reason: null })
      const loaded = yield* call(`${version}/load`, post)
      assert.strictEqual(loaded.status, 200, loaded.text)
      assert.deepInclude(body(loaded), {
        version: 1,
        state: "ready",
        serving: { state: "serving", reason: null },
      })
      const list = body(yield* call("/v1/models/digits/versions"))["items"]
      assert.deepStrictEqual((list as Array<{ serving: unknown }>)[0]?.serving, {
        state: "serving",
        reason: null,
      })
      const unloaded = { state: "unloaded", reason: "unloaded by hand, until it is loaded again" }
      assert.deepStrictEqual(body(yield* call(`${version}/unload`, post))["serving"], unloaded)
      isProblem(yield* call("/v1/models/digits/predict", predict), 503, "unavailable", {
        detail: 'Version 1 of model "digits" was unloaded: load it again to use it',
      })
      yield* call(`${version}/load`, post)
      assert.strictEqual((yield* call("/v1/models/digits/predict", predict)).status, 200)
    }),
  )

  it.effect("say why a version can't be loaded, and that it has failed", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const { call, forge } = mount
      yield* withModel(mount, "digits")
      forge.load = Effect.fail(new RuntimeError({ reason: new LoadFailed({ detail: "no such operator" }) }))
      const failed = yield* call("/v1/models/digits/versions/1/load", post)
      isProblem(failed, 503, "unavailable", { detail: "The model could not be loaded: no such operator" })
      assert.deepStrictEqual(body(yield* call("/v1/models/digits/versions/1"))["serving"], {
        state: "failed",
        reason: "The model could not be loaded: no such operator",
      })
    }),
  )

  it.effect("refuse versions that are not ready or not there", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const { call } = mount
      yield* withModel(mount, "digits")
      for (const verb of ["load", "unload"]) {
        isProblem(yield* call(`/v1/models/digits/versions/9/${verb}`, post), 404, "version-not-found")
        isProblem(yield* call(`/v1/models/none/versions/1/${verb}`, post), 404, "model-not-found")
      }
    }),
  )
})
