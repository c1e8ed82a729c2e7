/** Section 3: Triton's extensions, those that are served and those that are not. */
import { assert } from "@effect/vitest"
import type { InferenceClient, ModelStatistics } from "./client.ts"
import type { Json } from "./clientJson.ts"
import { dataOf, errorOf, jsonOf, post, type Rule, refusalOf, rows, rowsJson } from "./world.ts"

type Members = { readonly [name: string]: Json }

const statisticsOf = async (client: InferenceClient, model: string): Promise<ModelStatistics> =>
  (await client.statistics(model))[0] ?? assert.fail(`${model} is not counted`)

const classes = (elements: ReadonlyArray<unknown>) =>
  elements.map((element) => Buffer.from(element as Uint8Array).toString())

export const extensionRules: ReadonlyArray<Rule> = [
  [
    "3 extensions lists what there is, by Triton's names and in its order",
    async ({ client }) => {
      assert.deepStrictEqual((await client.serverMetadata()).extensions, [
        "classification",
        "model_repository",
        "model_repository(unload_dependents)",
        "schedule_policy",
        "model_configuration",
        "binary_tensor_data",
        "statistics",
      ])
    },
  ],
  [
    '3 model_repository: index with an empty body or {"ready":bool} is an array of {name, version?, state, reason?}',
    async ({ client }) => {
      const all = await client.repositoryIndex()
      assert.deepStrictEqual(await client.repositoryIndex(false), all)
      const ready = await client.repositoryIndex(true)
      const named = (list: ReadonlyArray<Members>) => list.map(({ name, version }) => `${name}/${version}`)
      assert.includeMembers(named(all), ["versions/1", "versions/2", "rows/1", "empty/undefined"])
      assert.notInclude(named(ready), "empty/undefined")
      for (const { state, reason } of all) {
        assert.include(["READY", "UNAVAILABLE", "LOADING", "UNLOADING", "UNKNOWN"], state)
        assert.isString(reason)
      }
      assert.isTrue(ready.every(({ state }) => state === "READY"))
    },
  ],
  [
    "3 model_repository: a ready that is no boolean is 400",
    async ({ client }) => {
      for (const body of ['{"ready":1}', '{"ready":"true"}', '{"ready":[]}', "[]", "7", "{", "\0"])
        errorOf(await client.send("POST", "/v2/repository/index", body), 400)
    },
  ],
  [
    "3 model_repository: load and unload are exactly 200; in between the model is known and not usable",
    async ({ client }) => {
      await client.unload("grids")
      assert.isFalse(await client.modelReady("grids"))
      const states = (await client.repositoryIndex()).filter(({ name }) => name === "grids")
      assert.deepInclude(states[0], { name: "grids", version: "1", state: "UNAVAILABLE" })
      const request = { inputs: [{ name: "x", datatype: "FP32", shape: [1, 1, 1], data: [5] }] } as const
      await refusalOf(client.infer("grids", request), 503)
      await client.load("grids")
      assert.isTrue(await client.modelReady("grids"))
      assert.deepStrictEqual(dataOf(await client.infer("grids", request)), [5])
    },
  ],
  [
    "3 model_repository: unload_dependents is a boolean, else 400",
    async ({ client }) => {
      await client.unload("grids", true)
      await client.unload("grids", false)
      await client.load("grids", {})
      const path = "/v2/repository/models/grids/unload"
      errorOf(await client.send("POST", path, '{"parameters":{"unload_dependents":"yes"}}'), 400)
      errorOf(await client.send("POST", path, '{"parameters":[]}'), 400)
      errorOf(await client.send("POST", path, "{"), 400)
      assert.isTrue(await client.modelReady("grids"))
    },
  ],
  [
    "3 model_repository: a load that brings a configuration or files is 501, and changes nothing",
    async ({ client }) => {
      const parameters = { config: "{}", "file:1/model.onnx": "AAAA" }
      assert.match(await refusalOf(client.load("grids", parameters), 501), /^failed to load 'grids'/)
      await refusalOf(client.load("grids", { "file:../../x": "AAAA" }), 501)
      errorOf(
        await client.send("POST", "/v2/repository/models/grids/load", '{"parameters":{"config":{}}}'),
        400,
      )
      assert.isTrue(await client.modelReady("grids"))
    },
  ],
  [
    "3 model_repository: of an unknown model 404 that says so",
    async ({ client }) => {
      assert.match(await refusalOf(client.load("nobody"), 404), /^failed to load 'nobody'/)
      assert.match(await refusalOf(client.unload("nobody"), 404), /^failed to unload 'nobody'/)
    },
  ],
  [
    "3 model_repository: bodies are limited",
    async ({ client }) => {
      const large = `{"x":"${"x".repeat(2 * 2 ** 20)}"}`
      for (const path of ["index", "models/grids/load", "models/grids/unload"])
        errorOf(await client.send("POST", `/v2/repository/${path}`, large), 413)
    },
  ],
  [
    "3 model_configuration: name, platform, backend, max_batch_size, input and output with data_type and dims",
    async ({ client }) => {
      assert.deepStrictEqual(await client.config("rows"), {
        name: "rows",
        platform: "onnxruntime_onnx",
        backend: "onnxruntime",
        version_policy: { specific: { versions: [1] } },
        max_batch_size: 64,
        input: [{ name: "x", data_type: "TYPE_FP32", dims: [2] }],
        output: [{ name: "y", data_type: "TYPE_FP32", dims: [2] }],
        dynamic_batching: { max_queue_delay_microseconds: 0 },
      })
      assert.deepInclude(await client.config("scalar"), {
        max_batch_size: 0,
        input: [{ name: "x", data_type: "TYPE_FP32", dims: [] }],
      })
      assert.deepInclude(await client.config("versions", "staging"), {
        version_policy: { specific: { versions: [1] } },
        input: [{ name: "x", data_type: "TYPE_FP32", dims: [3] }],
      })
    },
  ],
  [
    "3 model_configuration: BYTES is TYPE_STRING, every other datatype its name behind TYPE_",
    async ({ client }) => {
      const { inputs } = await client.modelMetadata("every")
      const { input, max_batch_size } = await client.config("every")
      assert.strictEqual(max_batch_size, 0)
      assert.deepStrictEqual(
        input,
        inputs.map(({ name, datatype }) => ({
          name,
          data_type: datatype === "BYTES" ? "TYPE_STRING" : `TYPE_${datatype}`,
          dims: [-1],
        })),
      )
    },
  ],
  [
    "3 statistics: of a version, of a model's versions, of all, in Triton's shape",
    async ({ client }) => {
      await client.infer("rows", { inputs: [rows([1, 2])] })
      const told = (list: ReadonlyArray<{ name: string; version: string }>) =>
        list.map(({ name, version }) => `${name}/${version}`)
      assert.deepStrictEqual(told(await client.statistics("versions")), ["versions/1", "versions/2"])
      assert.deepStrictEqual(told(await client.statistics("versions", "staging")), ["versions/1"])
      assert.includeMembers(told(await client.statistics()), ["rows/1", "versions/1", "versions/2"])
    },
  ],
  [
    "3 statistics: inference_count counts rows, execution_count model runs; last_inference is milliseconds since the epoch",
    async ({ client }) => {
      const before = await statisticsOf(client, "rows")
      const since = Date.now()
      await client.infer("rows", { inputs: [rows([1, 2, 3, 4, 5, 6])] })
      const after = await statisticsOf(client, "rows")
      assert.strictEqual(after.inferenceCount - before.inferenceCount, 3)
      assert.strictEqual(after.executionCount - before.executionCount, 1)
      assert.isAtLeast(after.lastInference, since)
      assert.isAtMost(after.lastInference, Date.now())
      assert.include(
        after.batches.map(({ size }) => size),
        3,
      )
    },
  ],
  [
    "3 statistics: success and fail count requests, and what does not fit the model is neither",
    async ({ client }) => {
      const counts = async () => {
        const { inference } = await statisticsOf(client, "table")
        return [
          inference.success,
          inference.fail,
          inference.queue,
          inference.compute_infer,
          inference.cache_hit,
        ]
      }
      const ask = (element: bigint | number) =>
        client.infer("table", {
          inputs: [
            {
              name: "x",
              datatype: typeof element === "bigint" ? "INT64" : "FP32",
              shape: [1],
              data: [element],
            },
          ],
        })
      const before = await counts()
      await ask(1n)
      await refusalOf(ask(9n), 400)
      await refusalOf(ask(1), 400)
      const after = await counts()
      assert.deepStrictEqual(
        after.map(({ count }, index) => count - (before[index]?.count ?? 0)),
        [1, 1, 1, 1, 0],
      )
    },
  ],
  [
    "3 statistics: the durations of a request that was answered add up to its success; memory_usage says what it takes",
    async ({ client }) => {
      await client.infer("wide", { inputs: [{ name: "x", datatype: "INT64", shape: [1], data: [1n] }] })
      const { inference, memory, batches } = await statisticsOf(client, "wide")
      const { success, queue, compute_input, compute_infer, compute_output } = inference
      const sum = queue.ns + compute_input.ns + compute_infer.ns + compute_output.ns
      assert.closeTo(sum / success.ns, 1, 1e-3)
      assert.isAbove(batches[0]?.infer.ns ?? 0, 0)
      assert.deepStrictEqual(
        memory.map(({ type, id, bytes }) => [type, id, bytes > 0]),
        [["CPU", 0, true]],
      )
    },
  ],
  [
    "3 statistics: stats is no name that a model can have",
    async ({ upload }) => {
      const { status, text } = await upload("stats", new Uint8Array(1))
      assert.isAtLeast(status, 400, text)
      assert.isBelow(status, 500, text)
    },
  ],
  [
    "3 classification: BYTES of shape [batch, k], elements value:index, best first, floats with 6 decimals",
    async ({ client }) => {
      const request = (classification: number, binary: boolean) =>
        client.infer("rows", {
          inputs: [rows([1, 2.5, 4, 3])],
          outputs: [{ name: "y", classification, binary }],
        })
      for (const binary of [false, true]) {
        const [top] = (await request(1, binary)).outputs
        assert.deepInclude(top, { datatype: "BYTES", shape: [2, 1] })
        assert.deepStrictEqual(classes(top?.data ?? []), ["2.500000:1", "4.000000:0"])
      }
    },
  ],
  [
    "3 classification: [k] without a batch, k capped at the elements there are; integers as they are",
    async ({ client }) => {
      const { outputs } = await client.infer("wide", {
        inputs: [{ name: "x", datatype: "INT64", shape: [3], data: [5n, 2n ** 53n + 1n, -1n] }],
        outputs: [{ name: "y", classification: 9 }],
      })
      assert.deepInclude(outputs[0], { datatype: "BYTES", shape: [3] })
      assert.deepStrictEqual(classes(outputs[0]?.data ?? []), ["9007199254740993:1", "5:0", "-1:2"])
    },
  ],
  [
    "3 classification: of text, or of no number of classes, is 400",
    async (world) => {
      for (const k of ["0", "-1", "1.5", '"2"', "true"])
        errorOf(
          await post(
            world,
            "rows",
            rowsJson(`,"outputs":[{"name":"y","parameters":{"classification":${k}}}]`),
          ),
          400,
        )
      const text = { name: "x", datatype: "BYTES", shape: [1], data: [Buffer.from("a")] } as const
      await refusalOf(
        world.client.infer("word", { inputs: [text], outputs: [{ name: "y", classification: 1 }] }),
        400,
      )
    },
  ],
  [
    "3 schedule_policy: priority is 0 for the default or from 1, timeout in microseconds",
    async ({ client }) => {
      const ask = (parameters: Record<string, number | string | boolean>) =>
        client.infer("rows", { inputs: [rows([1, 2])], parameters })
      for (const priority of [0, 1, 5, 1_000_000]) await ask({ priority })
      await ask({ timeout: 5_000_000 })
      for (const [name, value] of [
        ["priority", -1],
        ["priority", 1.5],
        ["priority", "1"],
        ["timeout", 0],
        ["timeout", -5],
        ["timeout", true],
      ] as const)
        await refusalOf(ask({ [name]: value }), 400)
    },
  ],
  [
    "3 sequence: not served, so a request that is part of one is 501; one that is not says so in vain",
    async ({ client }) => {
      const ask = (parameters: Record<string, number | string | boolean>) =>
        client.infer("rows", { inputs: [rows([1, 2])], parameters })
      for (const [name, value] of [
        ["sequence_id", 1],
        ["sequence_id", "a"],
        ["sequence_start", true],
        ["sequence_end", true],
      ] as const)
        await refusalOf(ask({ [name]: value }), 501)
      await ask({ sequence_id: 0, sequence_start: false, sequence_end: false })
    },
  ],
  [
    "3 parameters: names that are reserved are 400, others are passed over",
    async ({ client }) => {
      const ask = (parameters: Record<string, number | string | boolean>) =>
        client.infer("rows", { inputs: [rows([1, 2])], parameters })
      await ask({ mine: "x", other: 1.5, flag: true, __proto__x: 1 })
      for (const name of ["headers", "triton_enable_empty_final_response", "triton_x"])
        await refusalOf(ask({ [name]: 1 }), 400)
      await refusalOf(ask({ binary_data_output: "yes" }), 400)
    },
  ],
  [
    "3 shared memory: not served: a region in an input or an output is 501",
    async (world) => {
      const region = '{"shared_memory_region":"r","shared_memory_byte_size":8}'
      const input = `{"name":"x","datatype":"FP32","shape":[1,2],"parameters":${region}}`
      errorOf(await post(world, "rows", `{"inputs":[${input}]}`), 501)
      errorOf(await post(world, "rows", rowsJson(`,"outputs":[{"name":"y","parameters":${region}}]`)), 501)
    },
  ],
  [
    "3 trace, logging, shared memory regions, generate: not served, 404 with a JSON body",
    async ({ client }) => {
      for (const [method, path] of [
        ["GET", "trace/setting"],
        ["GET", "logging"],
        ["GET", "systemsharedmemory/status"],
        ["GET", "cudasharedmemory/status"],
        ["POST", "models/rows/generate"],
        ["POST", "models/rows/generate_stream"],
      ] as const)
        errorOf(await client.send(method, `/v2/${path}`), 404)
    },
  ],
  [
    "3 repository, statistics and configuration are JSON of type application/json",
    async ({ client }) => {
      for (const path of [
        "/v2/models/rows/stats",
        "/v2/models/stats",
        "/v2/models/rows/config",
        "/v2/models",
      ])
        jsonOf(await client.send("GET", path))
      jsonOf(await client.send("POST", "/v2/repository/index"))
    },
  ],
]
