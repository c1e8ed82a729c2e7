/** Section 1.1: the paths, and what health says. */
import { assert } from "@effect/vitest"
import { dataOf, errorOf, jsonOf, post, type Rule, rows, rowsJson } from "./world.ts"

const readable = [
  "/v2",
  "/v2/health/live",
  "/v2/health/ready",
  "/v2/models",
  "/v2/models/rows",
  "/v2/models/rows/ready",
  "/v2/models/rows/config",
  "/v2/models/rows/stats",
  "/v2/models/rows/versions/1",
  "/v2/models/rows/versions/1/ready",
  "/v2/models/rows/versions/1/config",
  "/v2/models/rows/versions/1/stats",
  "/v2/models/stats",
]

export const pathRules: ReadonlyArray<Rule> = [
  [
    '1.1 live: GET /v2/health/live is 200 with {"live":bool}',
    async ({ client }) => {
      assert.deepStrictEqual(jsonOf(await client.send("GET", "/v2/health/live")), { live: true })
      assert.isTrue(await client.live())
    },
  ],
  [
    '1.1 ready: GET /v2/health/ready is 200 with {"ready":bool}, which KServe\'s client needs',
    async ({ client }) => {
      assert.deepStrictEqual(jsonOf(await client.send("GET", "/v2/health/ready")), { ready: true })
      assert.isTrue(await client.ready())
    },
  ],
  [
    '1.1 model ready: GET /v2/models/M[/versions/V]/ready is 200 with {"name","ready"}, V a number or an alias',
    async ({ client }) => {
      for (const path of ["", "/versions/1", "/versions/2", "/versions/staging"])
        assert.deepStrictEqual(jsonOf(await client.send("GET", `/v2/models/versions${path}/ready`)), {
          name: "versions",
          ready: true,
        })
      assert.isTrue(await client.modelReady("versions", "staging"))
      assert.isFalse(await client.modelReady("versions", "9"))
      assert.isFalse(await client.modelReady("nobody"))
    },
  ],
  [
    "1.1 server metadata: both /v2 and /v2/",
    async ({ client }) => {
      assert.deepStrictEqual(
        jsonOf(await client.send("GET", "/v2/")),
        jsonOf(await client.send("GET", "/v2")),
      )
    },
  ],
  [
    "1.1 model metadata and infer: [/versions/V] is a number or an alias; without it the server picks",
    async ({ client }) => {
      const widths = { "1": 3, "2": 4, staging: 3 }
      for (const [version, width] of Object.entries(widths)) {
        const { inputs } = await client.modelMetadata("versions", version)
        assert.deepStrictEqual(inputs, [{ name: "x", datatype: "FP32", shape: [-1, width] }])
        const data = Array.from({ length: width }, (_, index) => index)
        const answer = await client.infer(
          "versions",
          { inputs: [rows(data, { shape: [1, width] })] },
          { version },
        )
        assert.deepStrictEqual(dataOf(answer), data)
        assert.strictEqual(answer.modelVersion, width === 3 ? "1" : "2")
      }
      assert.deepStrictEqual((await client.modelMetadata("versions")).inputs[0]?.shape, [-1, 4])
    },
  ],
  [
    '1.1 list models: GET /v2/models is {"models":[..]}',
    async ({ client }) => {
      const list = jsonOf(await client.send("GET", "/v2/models"))
      const { models } = list as { readonly models: ReadonlyArray<string> }
      assert.includeMembers([...models], ["empty", "every", "rows"])
    },
  ],
  [
    '1.1 V: any segment without "/" is taken; one that no version has is 404',
    async ({ client }) => {
      for (const version of ["9", "0", "-1", "v1.2.3", "1.0", "01", "%00", "%2e%2e", "1%2F2"]) {
        const path = `/v2/models/rows/versions/${version}`
        assert.match(
          errorOf(await client.send("GET", path), 404),
          /^Request for unknown model: 'rows' version /,
        )
        errorOf(await client.send("POST", `${path}/infer`, rowsJson()), 404)
      }
    },
  ],
  [
    "1.1 query strings are ignored",
    async (world) => {
      for (const path of readable)
        assert.strictEqual((await world.client.send("GET", `${path}?a=b`)).status, 200, path)
      assert.strictEqual(
        (await world.client.send("POST", "/v2/models/rows/infer?test_1=1&x", rowsJson())).status,
        200,
      )
      assert.strictEqual((await world.client.send("POST", "/v2/repository/index?x=y")).status, 200)
    },
  ],
  [
    "1.1 the model's name may come percent-encoded; one with a slash in it is nobody's",
    async (world) => {
      assert.strictEqual((await world.client.send("GET", "/v2/models/%72ows")).status, 200)
      assert.strictEqual((await post(world, "r%6Fws", rowsJson())).status, 200)
      for (const name of ["a%2Fb", "%2e%2e%2f", "rows%00", "ROWS"]) {
        assert.match(
          errorOf(await world.client.send("GET", `/v2/models/${name}`), 404),
          /^Request for unknown model/,
        )
        errorOf(await post(world, name, rowsJson()), 404)
      }
    },
  ],
  [
    "1.1 model: unknown is 404 everywhere, known but unloaded is not 200",
    async ({ client, manage }) => {
      for (const path of ["", "/ready", "/config", "/stats", "/versions/1", "/versions/1/ready"])
        assert.strictEqual(
          errorOf(await client.send("GET", `/v2/models/nobody${path}`), 404),
          "Request for unknown model: 'nobody' is not found",
        )
      for (const path of ["", "/ready", "/config", "/stats"])
        assert.strictEqual(
          errorOf(await client.send("GET", `/v2/models/empty${path}`), 404),
          "Request for unknown model: 'empty' has no available versions",
        )
      await manage("POST", "/v1/models/rows/versions/1/unload", undefined)
      assert.isFalse(await client.modelReady("rows"))
      assert.isFalse(await client.modelReady("rows", "1"))
      errorOf(await client.send("GET", "/v2/models/rows/ready"), 503)
      await client.load("rows")
      assert.isTrue(await client.modelReady("rows"))
    },
  ],
]
