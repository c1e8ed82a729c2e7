/** Section 1.2: the JSON of requests and answers. */
import { assert } from "@effect/vitest"
import { dataOf, errorOf, fillersBeside, jsonOf, post, type Rule, rows, rowsJson } from "./world.ts"

const tensor = '"name":"x","datatype":"FP32","shape":[2,2]'
const withData = (data: string, model = "") => `{${model}"inputs":[{${tensor},"data":${data}}]}`

export const jsonRules: ReadonlyArray<Rule> = [
  [
    "1.2 server metadata: name, version, extensions, all required",
    async ({ client }) => {
      const answer = jsonOf(await client.send("GET", "/v2"))
      assert.hasAllKeys(answer, ["name", "version", "extensions"])
      const { name, version } = await client.serverMetadata()
      assert.strictEqual(name, "modelforge")
      assert.match(version, /^\d/)
    },
  ],
  [
    "1.2 model metadata: name, platform, inputs and outputs with -1 for a variable dimension",
    async ({ client }) => {
      const { versions, ...metadata } = await client.modelMetadata("rows")
      assert.deepStrictEqual(metadata, {
        name: "rows",
        platform: "onnx_onnxv1",
        inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
        outputs: [{ name: "y", datatype: "FP32", shape: [-1, 2] }],
      })
      assert.deepStrictEqual(versions, ["1"])
      const { inputs } = await client.modelMetadata("scalar")
      assert.deepStrictEqual(inputs[0]?.shape, [])
    },
  ],
  [
    "1.2 versions lists all that are ready, or just the one asked for",
    async ({ client }) => {
      assert.deepStrictEqual((await client.modelMetadata("versions")).versions, ["1", "2"])
      assert.deepStrictEqual((await client.modelMetadata("versions", "1")).versions, ["1"])
      assert.deepStrictEqual((await client.modelMetadata("versions", "staging")).versions, ["1"])
    },
  ],
  [
    "1.2 infer request: inputs[] is required, and of each its name, shape, datatype and data",
    async (world) => {
      for (const body of [
        "{}",
        '{"inputs":{}}',
        '{"inputs":[7]}',
        '{"inputs":[{"datatype":"FP32","shape":[1,2],"data":[1,2]}]}',
        '{"inputs":[{"name":7,"datatype":"FP32","shape":[1,2],"data":[1,2]}]}',
        '{"inputs":[{"name":"x","shape":[1,2],"data":[1,2]}]}',
        '{"inputs":[{"name":"x","datatype":"FLOAT","shape":[1,2],"data":[1,2]}]}',
        '{"inputs":[{"name":"x","datatype":"FP32","data":[1,2]}]}',
        '{"inputs":[{"name":"x","datatype":"FP32","shape":[-1,2],"data":[1,2]}]}',
        '{"inputs":[{"name":"x","datatype":"FP32","shape":[1.5],"data":[1]}]}',
        '{"inputs":[{"name":"x","datatype":"FP32","shape":"[1,2]","data":[1,2]}]}',
        '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2]}]}',
        '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":7}]}',
        rowsJson(',"id":7'),
        rowsJson(',"parameters":[]'),
        rowsJson(',"outputs":{}'),
        rowsJson(',"outputs":[{}]'),
        rowsJson(',"outputs":[{"name":"y","parameters":7}]'),
      ])
        errorOf(await post(world, "rows", body), 400)
    },
  ],
  [
    "1.2 unknown members are ignored: model_name and request_id among them",
    async (world) => {
      const body =
        '{"model_name":"other","request_id":"1","extra":{"a":[1,null]},"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2],"more":[]}],"outputs":[{"name":"y","more":1}]}'
      assert.deepInclude(jsonOf(await post(world, "rows", body)) as object, { model_name: "rows" })
    },
  ],
  [
    "1.2 infer response: model_name, outputs[], and model_version as a string",
    async (world) => {
      assert.deepStrictEqual(jsonOf(await post(world, "rows", rowsJson())), {
        model_name: "rows",
        model_version: "1",
        outputs: [{ name: "y", datatype: "FP32", shape: [1, 2], data: [1, 2] }],
      })
    },
  ],
  [
    "1.2 id is echoed, and left out when none was given",
    async ({ client }) => {
      for (const id of ["a", 'ä\n"\\\u0000', "x".repeat(500)])
        assert.strictEqual((await client.infer("rows", { id, inputs: [rows([1, 2])] })).id, id)
      assert.isUndefined((await client.infer("rows", { inputs: [rows([1, 2])] })).id)
    },
  ],
  [
    "1.2 outputs[] chooses outputs, in its order; all of them without it",
    async ({ client }) => {
      const inputs = fillersBeside()
      const chosen = [{ name: "INT64_out" }, { name: "BOOL_out" }]
      const { outputs } = await client.infer("every", { inputs, outputs: chosen })
      assert.sameMembers(
        outputs.map(({ name }) => name),
        ["INT64_out", "BOOL_out"],
      )
      assert.lengthOf((await client.infer("every", { inputs })).outputs, inputs.length)
    },
  ],
  [
    "1.2 parameters: a flat map of strings, numbers and booleans; an object, array or null is 400",
    async (world) => {
      assert.strictEqual(
        (await post(world, "rows", rowsJson(',"parameters":{"a":"b","c":1.5,"d":true}'))).status,
        200,
      )
      for (const value of ["null", "{}", "[]"]) {
        errorOf(await post(world, "rows", rowsJson(`,"parameters":{"a":${value}}`)), 400)
        errorOf(
          await post(world, "rows", rowsJson(`,"outputs":[{"name":"y","parameters":{"a":${value}}}]`)),
          400,
        )
      }
    },
  ],
  [
    '1.2 error: {"error": "<text>"}, with exactly application/json, on every kind of path',
    async (world) => {
      errorOf(await world.client.send("GET", "/v2/models/nobody"), 404)
      errorOf(await world.client.send("GET", "/v2/nowhere"), 404)
      errorOf(await world.client.send("DELETE", "/v2"), 405)
      errorOf(await post(world, "rows", "{"), 400)
      errorOf(await world.client.send("POST", "/v2/repository/index", "{"), 400)
    },
  ],
  [
    "1.2 data: row-major, nested or flat",
    async (world) => {
      for (const data of ["[1,2,3,4]", "[[1,2],[3,4]]", " [ [ 1 , 2 ] , [ 3 , 4 ] ] "])
        assert.deepInclude(jsonOf(await post(world, "rows", withData(data))) as object, {
          outputs: [{ name: "y", datatype: "FP32", shape: [2, 2], data: [1, 2, 3, 4] }],
        })
    },
  ],
  [
    "1.2 data: large requests are read like small ones, nested or flat, and answered flat",
    async ({ client }) => {
      const data = Array.from({ length: 40_000 }, (_, index) => index / 4)
      assert.deepStrictEqual(dataOf(await client.infer("rows", { inputs: [rows(data)] })), data)
      const nested = Array.from({ length: 20_000 }, (_, index) => data.slice(2 * index, 2 * index + 2))
      const answer = await client.send(
        "POST",
        "/v2/models/rows/infer",
        `{"inputs":[{"data":${JSON.stringify(nested)},"name":"x","datatype":"FP32","shape":[20000,2]}]}`,
      )
      assert.deepInclude(jsonOf(answer) as object, {
        outputs: [{ name: "y", datatype: "FP32", shape: [20_000, 2], data }],
      })
    },
  ],
  [
    "1.2 null stands for an absent member, beside binary_data_size 0 too",
    async (world) => {
      assert.strictEqual(
        (await post(world, "rows", rowsJson(',"id":null,"parameters":null,"outputs":null'))).status,
        200,
      )
      const json =
        '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,0],"data":null,"parameters":{"binary_data_size":0}}]}'
      const length = { "inference-header-content-length": String(json.length) }
      assert.deepInclude(jsonOf(await post(world, "sequences", json, length)) as object, {
        outputs: [{ name: "y", datatype: "FP32", shape: [1, 0], data: [] }],
      })
    },
  ],
]
