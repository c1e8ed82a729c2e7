import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect } from "effect"
import { json, mountWeb, onnx, upload, withModel } from "../Mount.ts"
import { body, isV2Error } from "./problems.ts"

describe("metadata", () => {
  it.effect("of the server: name, version, extensions, with a slash at the end or without", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      for (const path of ["/v2", "/v2/"]) {
        const server = yield* call(path)
        assert.strictEqual(server.status, 200)
        assert.strictEqual(server.headers.get("content-type"), "application/json")
        assert.deepStrictEqual(server.json, {
          name: "modelforge",
          version: "1.2.3",
          extensions: [
            "classification",
            "model_repository",
            "model_repository(unload_dependents)",
            "schedule_policy",
            "model_configuration",
            "binary_tensor_data",
            "statistics",
          ],
        })
      }
    }),
  )

  it.effect("of a model: its ready versions, and the signature of the one that answers", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits", ["floats", "long"])
      const long = {
        name: "digits",
        platform: "onnx_onnxv1",
        inputs: [
          { name: "x", datatype: "INT64", shape: [-1] },
          { name: "u", datatype: "UINT64", shape: [-1] },
        ],
        outputs: [
          { name: "x_out", datatype: "INT64", shape: [-1] },
          { name: "u_out", datatype: "UINT64", shape: [-1] },
        ],
      }
      const model = yield* mount.call("/v2/models/digits")
      assert.deepStrictEqual([model.status, model.json], [200, { ...long, versions: ["1", "2"] }])
      // Symbolic dimensions have any size, which V2 writes as -1.
      const floats = {
        ...long,
        versions: ["1"],
        inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
        outputs: [{ name: "x_out", datatype: "FP32", shape: [-1, 2] }],
      }
      assert.deepStrictEqual((yield* mount.call("/v2/models/digits/versions/1")).json, floats)
      yield* mount.call("/v1/models/digits/aliases/production", json({ version: 1 }, "PUT"))
      assert.deepStrictEqual((yield* mount.call("/v2/models/digits/versions/production")).json, floats)
      assert.deepStrictEqual((yield* mount.call("/v2/models/digits")).json, {
        ...floats,
        versions: ["1", "2"],
      })
    }),
  )

  it.effect("says whether a model or a version is ready", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      for (const path of ["/v2/models/digits/ready", "/v2/models/digits/versions/1/ready"]) {
        const ready = yield* mount.call(path)
        assert.deepStrictEqual([ready.status, ready.json], [200, { name: "digits", ready: true }])
      }
    }),
  )

  it.effect("lists the models", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      yield* mount.call("/v1/models", json({ name: "empty" }))
      assert.deepStrictEqual((yield* mount.call("/v2/models")).json, { models: ["digits", "empty"] })
    }),
  )

  it.effect("is told in Triton's shape too: the batch apart from the dimensions, where there is one", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits", ["text", "floats"])
      const common = { name: "digits", platform: "onnxruntime_onnx", backend: "onnxruntime" }
      const batched = {
        ...common,
        version_policy: { specific: { versions: [1, 2] } },
        max_batch_size: 64,
        input: [{ name: "x", data_type: "TYPE_FP32", dims: [2] }],
        output: [{ name: "x_out", data_type: "TYPE_FP32", dims: [2] }],
        dynamic_batching: { max_queue_delay_microseconds: 0 },
      }
      const config = (version = "") =>
        Effect.map(mount.call(`/v2/models/digits${version}/config`), (answer) => answer.json)
      assert.deepStrictEqual(yield* config(), batched)
      assert.deepStrictEqual(yield* config("/versions/1"), {
        ...common,
        version_policy: { specific: { versions: [1] } },
        max_batch_size: 0,
        input: [
          { name: "x", data_type: "TYPE_STRING", dims: [-1] },
          { name: "flag", data_type: "TYPE_BOOL", dims: [] },
        ],
        output: [
          { name: "x_out", data_type: "TYPE_STRING", dims: [-1] },
          { name: "flag_out", data_type: "TYPE_BOOL", dims: [] },
        ],
      })
      yield* mount.call(
        "/v1/models/digits/config",
        json({ batching: { maxBatchSize: 8, maxDelayMs: 5 } }, "PUT"),
      )
      assert.deepStrictEqual(yield* config(), {
        ...batched,
        max_batch_size: 8,
        dynamic_batching: { max_queue_delay_microseconds: 5000 },
      })
      yield* mount.call("/v1/models/digits/config", json({ batching: { maxBatchSize: 1 } }, "PUT"))
      const { dynamic_batching: _, ...alone } = batched
      assert.deepStrictEqual(yield* config(), { ...alone, max_batch_size: 1 })
    }),
  )

  it.effect("of what does not exist is a 404 that names it", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      yield* mount.call("/v1/models", json({ name: "empty" }))
      for (const suffix of ["", "/ready", "/config", "/stats"]) {
        isV2Error(yield* mount.call(`/v2/models/nope${suffix}`), 404, /unknown model: 'nope' is not found/)
        isV2Error(
          yield* mount.call(`/v2/models/nope/versions/1${suffix}`),
          404,
          /unknown model: 'nope' is not found/,
        )
        isV2Error(
          yield* mount.call(`/v2/models/digits/versions/9${suffix}`),
          404,
          /unknown model: 'digits' version 9 is not found/,
        )
        isV2Error(
          yield* mount.call(`/v2/models/digits/versions/v1.2${suffix}`),
          404,
          /version v1\.2 is not found/,
        )
        isV2Error(yield* mount.call(`/v2/models/empty${suffix}`), 404, /has no available versions/)
        isV2Error(yield* mount.call(`/v2/models/%zz${suffix}`), 404, /./)
      }
    }),
  )

  it.effect("of a version that is not ready is a 503 that says why", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb({ validationPatience: Duration.zero })
      forge.trial = Deferred.await(yield* Deferred.make<void>())
      yield* call("/v1/models/digits/versions?create=true", upload(onnx()))
      for (const suffix of ["", "/ready", "/config", "/stats"])
        isV2Error(yield* call(`/v2/models/digits/versions/1${suffix}`), 503, /is not ready, it is validating/)
      isV2Error(yield* call("/v2/models/digits/ready"), 404, /has no available versions/)
    }),
  )
})

describe("inference behind the router", () => {
  const request = { inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }] }

  it.effect("answers for the model and for a version", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits", ["floats", "floats"])
      for (const [path, version] of [
        ["/v2/models/digits/infer", "2"],
        ["/v2/models/digits/versions/1/infer", "1"],
        ["/v2/models/digits/infer?unused=1", "2"],
      ] as const) {
        const answer = yield* mount.call(path, { method: "POST", body: JSON.stringify(request) })
        assert.strictEqual(answer.status, 200, answer.text)
        assert.strictEqual(answer.headers.get("content-type"), "application/json")
        assert.strictEqual(answer.headers.get("modelforge-model-version"), version)
        assert.strictEqual(body(answer)["model_version"], version)
      }
    }),
  )

  it.effect("refuses large bodies, with their size announced or not", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb({ maxRequestBytes: 100 })
      yield* withModel(mount, "digits")
      const large = JSON.stringify({ ...request, id: "x".repeat(100) })
      const announced = { method: "POST", body: large, headers: { "content-length": String(large.length) } }
      const streamed = { method: "POST", body: new Blob([large]).stream(), duplex: "half" as const }
      for (const init of [announced, streamed])
        isV2Error(yield* mount.call("/v2/models/digits/infer", init), 413, /larger than the 100 bytes/)
    }),
  )
})
