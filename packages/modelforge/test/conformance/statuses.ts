/** Section 1.4: the statuses, and the words that clients look for. */
import { assert } from "@effect/vitest"
import { dataOf, errorOf, jsonOf, post, type Rule, refusalOf, rows, rowsJson } from "./world.ts"

const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`

export const statusRules: ReadonlyArray<Rule> = [
  [
    "1.4 unknown model is 404, in Triton's words: of a model, of a version, of a model without any",
    async (world) => {
      const asked = (path: string) => world.client.send("POST", `/v2/models/${path}/infer`, rowsJson())
      assert.strictEqual(errorOf(await asked("x"), 404), "Request for unknown model: 'x' is not found")
      assert.strictEqual(
        errorOf(await asked("rows/versions/9"), 404),
        "Request for unknown model: 'rows' version 9 is not found",
      )
      assert.strictEqual(
        errorOf(await asked("empty"), 404),
        "Request for unknown model: 'empty' has no available versions",
      )
    },
  ],
  [
    "1.4 model known, not usable, is 503 with Retry-After",
    async (world) => {
      await world.manage("POST", "/v1/models/scalar/versions/1/unload", undefined)
      const answer = await post(
        world,
        "scalar",
        '{"inputs":[{"name":"x","datatype":"FP32","shape":[],"data":[1]}]}',
      )
      assert.match(answer.headers["retry-after"] ?? "", /^\d+$/)
      errorOf(answer, 503)
      await world.client.load("scalar")
    },
  ],
  [
    "1.4 wrong method is 405 and says which are right",
    async ({ client }) => {
      for (const [method, path, allow] of [
        ["GET", "/v2/models/rows/infer", "POST"],
        ["DELETE", "/v2/models/rows/versions/1/infer", "POST"],
        ["POST", "/v2/models/rows", "GET, HEAD"],
        ["PUT", "/v2", "GET, HEAD"],
        ["POST", "/v2/health/live", "GET, HEAD"],
        ["POST", "/v2/models/rows/stats", "GET, HEAD"],
        ["GET", "/v2/repository/index", "POST"],
      ] as const) {
        const answer = await client.send(method, path)
        errorOf(answer, 405)
        assert.strictEqual(answer.headers.allow, allow, path)
      }
    },
  ],
  [
    "1.4 unknown path is 404 with a JSON body",
    async ({ client }) => {
      for (const path of [
        "/v2/",
        "/v2/models/",
        "/v2/x",
        "/v2/models/rows/x",
        "/v2/models/rows/versions/1/x",
      ].slice(2))
        errorOf(await client.send("GET", path), 404)
    },
  ],
  [
    "1.4 malformed JSON is 400",
    async (world) => {
      for (const body of [
        "",
        "{",
        "[]",
        "7",
        "nul",
        '{"inputs":[}',
        "{'inputs':[]}",
        `${rowsJson()}x`,
        "\ufeff{}",
      ])
        errorOf(await post(world, "rows", body), 400)
      errorOf(await post(world, "rows", Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d)), 400)
    },
  ],
  [
    "1.4 element count that is not the shape's is 400",
    async (world) => {
      for (const data of ["[]", "[1]", "[1,2,3]", "[[1]]", "[[1,2],[3]]", "[[1,2],3]"]) {
        const body = `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":${data}}]}`
        errorOf(await post(world, "rows", body), 400)
      }
    },
  ],
  [
    "1.4 shapes whose product overflows are 400",
    async (world) => {
      for (const shape of [
        "[4294967296,4294967296]",
        "[9007199254740991,2]",
        "[9007199254740993,2]",
        "[1e300,2]",
      ])
        for (const data of ["[1,2]", "[]"])
          errorOf(
            await post(
              world,
              "rows",
              `{"inputs":[{"name":"x","datatype":"FP32","shape":${shape},"data":${data}}]}`,
            ),
            400,
          )
    },
  ],
  [
    "1.4 datatype, shape and set of inputs that are not the model's are 400, in words that clients grep for",
    async ({ client }) => {
      const refused = (
        inputs: Parameters<typeof client.infer>[1]["inputs"],
        outputs?: ReadonlyArray<{ name: string }>,
      ) => refusalOf(client.infer("rows", outputs === undefined ? { inputs } : { inputs, outputs }), 400)
      const x = rows([1, 2])
      assert.match(await refused([rows([1, 2], { shape: [2] })]), /^unexpected shape for input 'x'/)
      assert.match(await refused([rows([1, 2, 3], { shape: [1, 3] })]), /^unexpected shape for input 'x'/)
      assert.match(await refused([rows([1, 2], { datatype: "FP64" })]), /data-type is 'FP64'/)
      assert.match(await refused([]), /^expected 1 inputs but got 0 inputs/)
      assert.match(await refused([x, { ...x, name: "z" }]), /^expected 1 inputs but got 2 inputs/)
      assert.match(await refused([{ ...x, name: "z" }]), /^unexpected inference input 'z'/)
      assert.match(await refused([x, x]), /already exists in request/)
      assert.match(await refused([x], [{ name: "z" }]), /^unexpected inference output 'z'/)
      assert.match(await refused([x], [{ name: "y" }, { name: "y" }]), /asked for twice/)
    },
  ],
  [
    "1.4 a run that fails on the inputs is 400, and the model goes on to answer",
    async ({ client }) => {
      const input = (index: bigint) => ({ name: "x", datatype: "INT64", shape: [1], data: [index] }) as const
      await refusalOf(client.infer("table", { inputs: [input(7n)] }), 400)
      assert.deepStrictEqual(dataOf(await client.infer("table", { inputs: [input(1n)] })), [6])
    },
  ],
  [
    "1.4 time that is up is 504",
    async ({ client }) => {
      await refusalOf(
        client.infer("slow", {
          inputs: [
            { name: "n", datatype: "INT64", shape: [], data: [3_000_000n] },
            { name: "x", datatype: "FP32", shape: [1], data: [1] },
          ],
          timeoutMicroseconds: 50_000,
        }),
        504,
      )
    },
  ],
  [
    "1.4 unsupported feature is 501",
    async (world) => {
      const shared =
        '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"parameters":{"shared_memory_region":"r","shared_memory_byte_size":8}}]}'
      errorOf(await post(world, "rows", shared), 501)
      errorOf(
        await post(world, "rows", rowsJson(',"parameters":{"sequence_id":1,"sequence_start":true}')),
        501,
      )
    },
  ],
  [
    "1.4 body over the limit is 413, announced or found out",
    async ({ client }) => {
      const limit = 64 * 2 ** 20
      errorOf(
        await client.send("POST", "/v2/models/rows/infer", undefined, {
          "content-length": String(limit + 1),
          expect: "100-continue",
        }),
        413,
      )
    },
  ],
  [
    "1.4 JSON nested deeper than 100 levels is 400, wherever",
    async (world) => {
      jsonOf(await post(world, "rows", rowsJson(`,"extra":${nested(99)}`)))
      errorOf(await post(world, "rows", rowsJson(`,"extra":${nested(100)}`)), 400)
      errorOf(await post(world, "rows", rowsJson(`,"extra":${nested(50_000)}`)), 400)
      errorOf(
        await post(
          world,
          "rows",
          `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":${nested(200)}}]}`,
        ),
        400,
      )
    },
  ],
]
