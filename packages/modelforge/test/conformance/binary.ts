/** Section 2: tensors as bytes, and compression. */
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib"
import { assert } from "@effect/vitest"
import { type InferRequest, readInfer, writeInfer } from "./client.ts"
import { type Datatype, writeTensor } from "./clientTensors.ts"
import {
  dataOf,
  errorOf,
  fillersBeside,
  fillersJson,
  post,
  type Rule,
  refusalOf,
  rows,
  rowsJson,
  type World,
} from "./world.ts"

const lengthHeader = (length: number | string) => ({ "inference-header-content-length": String(length) })

/** A JSON and bytes behind it, with the length given or that of the JSON. */
const postBytes = (
  world: World,
  model: string,
  json: string,
  bytes: Uint8Array,
  length: number | string = json.length,
) => post(world, model, Buffer.concat([Buffer.from(json), bytes]), lengthHeader(length))

const binaryRows = (size: number | string, shape = "[1,2]", members = "") =>
  `{"inputs":[{"name":"x","datatype":"FP32","shape":${shape},"parameters":{"binary_data_size":${size}}${members}}]}`

const floats = (...values: ReadonlyArray<number>) => writeTensor({ datatype: "FP32", data: values })

const one: InferRequest = { inputs: [rows([1, 2])] }

const framing: ReadonlyArray<readonly [what: string, bytes: Uint8Array]> = [
  ["cut within the length", Uint8Array.of(1, 0)],
  ["longer than the tensor", Uint8Array.of(9, 0, 0, 0, 0x61)],
  ["longer than 2^31", Uint8Array.of(255, 255, 255, 255, 0x61)],
  ["more elements than the shape", Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0)],
  ["fewer elements than the shape", new Uint8Array(0)],
]

const widths: Readonly<Record<string, number>> = {
  UINT16: 2,
  INT16: 2,
  FP16: 2,
  UINT64: 8,
  INT64: 8,
  FP64: 8,
  BOOL: 1,
  UINT8: 1,
  INT8: 1,
}

export const binaryRules: ReadonlyArray<Rule> = [
  [
    "2 bytes follow the JSON in the order of inputs without padding; JSON and bytes may be mixed",
    async ({ client }) => {
      // One byte first, so that nothing behind it lies at a multiple of its width.
      const order: ReadonlyArray<Datatype> = ["BOOL", "FP64", "UINT8", "INT64", "FP16", "BYTES", "FP32"]
      const data = (name: Datatype) =>
        name === "BOOL" ? [true] : name === "BYTES" ? [Buffer.from("abc")] : name === "INT64" ? [-5n] : [3]
      const inputs = [
        ...order.map((name) => ({
          name,
          datatype: name,
          shape: [1],
          data: data(name),
          binary: name !== "UINT8",
        })),
        ...fillersBeside(...order),
      ]
      const answer = await client.infer("every", { inputs, binaryOutput: true })
      for (const name of order)
        assert.deepStrictEqual(
          dataOf(answer, `${name}_out`).map((element) =>
            element instanceof Uint8Array ? Buffer.from(element) : element,
          ),
          data(name),
          name,
        )
    },
  ],
  [
    "2 the header's length is that of the JSON, in bytes",
    async ({ client }) => {
      const answer = await client.infer("rows", { id: "ä𝄞", inputs: [rows([1, 2], { binary: true })] })
      assert.deepStrictEqual([answer.id, dataOf(answer)], ["ä𝄞", [1, 2]])
    },
  ],
  [
    "2 without the header the whole body is JSON",
    async (world) => {
      const body = Buffer.concat([Buffer.from(binaryRows(8)), floats(1, 2)])
      errorOf(await post(world, "rows", body), 400)
      assert.match(errorOf(await post(world, "rows", binaryRows(8)), 400), /unexpected size for input/)
    },
  ],
  [
    "2 the header may say that all of the body is JSON",
    async (world) => {
      assert.strictEqual((await post(world, "rows", rowsJson(), lengthHeader(rowsJson().length))).status, 200)
    },
  ],
  [
    "2 exactly one of data and binary_data_size, else 400",
    async (world) => {
      errorOf(await postBytes(world, "rows", binaryRows(8, "[1,2]", ',"data":[1,2]'), floats(1, 2)), 400)
      errorOf(
        await postBytes(
          world,
          "rows",
          '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2]}]}',
          floats(1, 2),
        ),
        400,
      )
    },
  ],
  [
    "2 little-endian and row-major; BOOL is one byte of 0 or 1",
    async (world) => {
      const answer = await postBytes(world, "rows", binaryRows(16, "[2,2]"), floats(1, 2, 3, 4))
      assert.deepStrictEqual(dataOf(readInfer(answer)), [1, 2, 3, 4])
      const input = '{"name":"BOOL","datatype":"BOOL","shape":[2],"parameters":{"binary_data_size":2}}'
      const json = `{"inputs":[${input},${fillersJson("BOOL")}],"outputs":[{"name":"BOOL_out"}]}`
      assert.deepStrictEqual(
        dataOf(readInfer(await postBytes(world, "every", json, Uint8Array.of(0, 1))), "BOOL_out"),
        [false, true],
      )
      errorOf(await postBytes(world, "every", json, Uint8Array.of(0, 2)), 400)
    },
  ],
  [
    "2 BYTES: each element is a length in 4 bytes, little-endian, and its bytes",
    async (world) => {
      const bytes = Uint8Array.of(2, 0, 0, 0, 0x68, 0x69, 0, 0, 0, 0)
      const json = `{"inputs":[{"name":"x","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":10}}],"parameters":{"binary_data_output":true}}`
      const answer = await postBytes(world, "word", json, bytes)
      const length = Number(answer.headers["inference-header-content-length"])
      assert.deepStrictEqual(new Uint8Array(answer.body.subarray(length)), bytes)
    },
  ],
  ...framing.map(
    ([what, bytes]): Rule => [
      `2 BYTES framing that is bad is 400: ${what}`,
      async (world) => {
        const json = `{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":${bytes.length}}}]}`
        errorOf(await postBytes(world, "word", json, bytes), 400)
      },
    ],
  ),
  [
    "2 sums that do not match: short is 400 'unexpected size for input', left over 400 'unexpected additional input data'",
    async (world) => {
      assert.match(
        errorOf(await postBytes(world, "rows", binaryRows(8), floats(1)), 400),
        /unexpected size for input/,
      )
      assert.match(
        errorOf(await postBytes(world, "rows", binaryRows(8), floats(1, 2, 3)), 400),
        /unexpected additional input data/,
      )
      assert.match(
        errorOf(await postBytes(world, "rows", rowsJson(), floats(1)), 400),
        /unexpected additional input data/,
      )
    },
  ],
  [
    "2 size that is not shape times width is 400, of every width",
    async (world) => {
      for (const [shape, size] of [
        ["[1,2]", 16],
        ["[1,2]", 4],
        ["[1,2]", 7],
        ["[1,2]", 0],
        ["[0,2]", 8],
      ] as const)
        assert.match(
          errorOf(await postBytes(world, "rows", binaryRows(size, shape), new Uint8Array(size)), 400),
          /unexpected size for input/,
        )
      for (const [datatype, width] of Object.entries(widths)) {
        const json = `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[2],"parameters":{"binary_data_size":${2 * width + 1}}}]}`
        assert.match(
          errorOf(await postBytes(world, "rows", json, new Uint8Array(2 * width + 1)), 400),
          /unexpected size for input/,
          datatype,
        )
      }
      for (const size of ["-1", "1.5", '"8"', "true", "1e300"])
        errorOf(await postBytes(world, "rows", binaryRows(size), floats(1, 2)), 400)
    },
  ],
  [
    "2 output choice: binary_data of a listed output, binary_data_output where none are listed",
    async ({ client }) => {
      const chosen = async (request: Partial<InferRequest>) => {
        const answer = await client.infer("rows", { ...one, ...request })
        assert.deepStrictEqual(dataOf(answer), [1, 2])
        return answer.outputs[0]?.binary
      }
      assert.isFalse(await chosen({}))
      assert.isTrue(await chosen({ binaryOutput: true }))
      assert.isFalse(await chosen({ binaryOutput: false }))
      assert.isTrue(await chosen({ outputs: [{ name: "y", binary: true }] }))
      assert.isFalse(await chosen({ outputs: [{ name: "y", binary: false }] }))
      assert.isFalse(await chosen({ outputs: [{ name: "y", binary: false }], binaryOutput: true }))
    },
  ],
  [
    "2 a listed output without binary_data beside binary_data_output is JSON, as T and K have it",
    async ({ client }) => {
      const answer = await client.infer("rows", { ...one, outputs: [{ name: "y" }], binaryOutput: true })
      assert.isFalse(answer.outputs[0]?.binary)
    },
  ],
  [
    "2 response: binary outputs have binary_data_size and no data, application/octet-stream and the header; an all-JSON answer has none",
    async (world) => {
      const answer = await post(world, "rows", rowsJson(',"parameters":{"binary_data_output":true}'))
      const length = Number(answer.headers["inference-header-content-length"])
      assert.strictEqual(answer.headers["content-type"], "application/octet-stream")
      assert.strictEqual(answer.headers["content-length"], String(length + 8))
      assert.deepStrictEqual(JSON.parse(answer.body.subarray(0, length).toString()).outputs, [
        { name: "y", datatype: "FP32", shape: [1, 2], parameters: { binary_data_size: 8 } },
      ])
      assert.deepStrictEqual(Buffer.from(answer.body.subarray(length)), floats(1, 2))
      const plain = await post(world, "rows", rowsJson())
      assert.strictEqual(plain.headers["content-type"], "application/json")
      assert.notProperty(plain.headers, "inference-header-content-length")
    },
  ],
  [
    "2 if every binary output has 0 bytes the answer is plain JSON without the header",
    async (world) => {
      const json = binaryRows(0, "[3,0]").replace(/}$/, ',"parameters":{"binary_data_output":true}}')
      const answer = await postBytes(world, "sequences", json, new Uint8Array(0))
      assert.strictEqual(answer.headers["content-type"], "application/json")
      assert.notProperty(answer.headers, "inference-header-content-length")
      assert.deepStrictEqual(readInfer(answer).outputs[0], {
        name: "y",
        datatype: "FP32",
        shape: [3, 0],
        data: [],
        binary: true,
      })
    },
  ],
  [
    "2 raw binary request: header 0, the whole body is the single input, batch 1 is assumed, all outputs are bytes",
    async ({ client }) => {
      for (const [model, values, shape] of [
        ["rows", [1, 2], [1, 2]],
        ["sequences", [1, 2, 3], [1, 3]],
        ["scalar", [7], []],
      ] as const) {
        const { outputs } = await client.inferRaw(model, floats(...values))
        assert.deepStrictEqual(outputs, [
          { name: "y", datatype: "FP32", shape: [...shape], data: [...values], binary: true },
        ])
      }
      const wide = await client.inferRaw("wide", writeTensor({ datatype: "INT64", data: [1n, -(2n ** 63n)] }))
      assert.deepStrictEqual(dataOf(wide), [1n, -(2n ** 63n)])
    },
  ],
  [
    "2 raw binary request of BYTES: shape [1], the body is the bare element",
    async ({ client }) => {
      const { outputs } = await client.inferRaw("word", Buffer.from("größer"))
      assert.deepStrictEqual(outputs[0]?.shape, [1])
      assert.deepStrictEqual(outputs[0]?.data.map(String), [String(Buffer.from("größer"))])
    },
  ],
  [
    "2 raw binary request: only for models with one input and at most one variable dimension, and whole rows",
    async ({ client }) => {
      await refusalOf(client.inferRaw("every", floats(1)), 400)
      await refusalOf(client.inferRaw("grids", floats(1, 2, 3, 4)), 400)
      for (const size of [0, 1, 4, 12]) {
        const refused = await refusalOf(client.inferRaw("rows", new Uint8Array(size)), 400)
        assert.match(refused, /unexpected size for input/)
      }
    },
  ],
  [
    "2 header out of range, negative or not an integer is 400",
    async (world) => {
      const json = binaryRows(8)
      for (const length of [
        "-1",
        "1.5",
        "x",
        "",
        "0x10",
        "1e2",
        " ",
        "99999999999999999999",
        json.length + 9,
      ])
        errorOf(await postBytes(world, "rows", json, floats(1, 2), length), 400)
    },
  ],
  [
    "2 large tensors go both ways as bytes, bit for bit",
    async ({ client }) => {
      const data = Array.from({ length: 100_000 }, (_, index) => index / 8)
      for (const binary of [true, false]) {
        const answer = await client.infer("rows", { inputs: [rows(data, { binary })], binaryOutput: true })
        assert.deepStrictEqual(dataOf(answer), data)
      }
    },
  ],
  ...(["gzip", "deflate"] as const).flatMap(
    (compress): ReadonlyArray<Rule> => [
      [
        `2 Content-Encoding ${compress}: of JSON, of bytes behind JSON, and of a raw request; the header counts uncompressed bytes`,
        async ({ client }) => {
          const options = { compress } as const
          const data = Array.from({ length: 5000 }, (_, index) => index)
          for (const binary of [false, true])
            assert.deepStrictEqual(
              dataOf(await client.infer("rows", { inputs: [rows(data, { binary })] }, options)),
              data,
            )
          assert.deepStrictEqual(dataOf(await client.inferRaw("rows", floats(1, 2), options)), [1, 2])
        },
      ],
      [
        `2 Accept-Encoding ${compress}: infer answers so, JSON and bytes; the header counts uncompressed bytes`,
        async ({ client }) => {
          const data = Array.from({ length: 5000 }, (_, index) => index)
          for (const binaryOutput of [false, true]) {
            const request = { inputs: [rows(data)], binaryOutput }
            const answer = await client.infer("rows", request, { acceptEncoding: compress })
            assert.strictEqual(answer.headers["content-encoding"], compress)
            assert.deepStrictEqual(dataOf(answer), data)
          }
        },
      ],
      [
        `2 a body that is not the ${compress} it says, or damaged, is 400`,
        async (world) => {
          const encoding = { "content-encoding": compress }
          const whole = (compress === "gzip" ? gzipSync : deflateSync)(rowsJson())
          for (const body of [
            rowsJson(),
            "",
            whole.subarray(0, -5),
            Buffer.concat([whole, Buffer.from("more")]),
          ])
            errorOf(await post(world, "rows", body, encoding), 400)
          // deflate is a zlib stream; gzip is neither.
          errorOf(await post(world, "rows", deflateRawSync(rowsJson()), encoding), 400)
        },
      ],
    ],
  ),
  [
    "2 response compression goes by weight among identity, gzip and deflate; never br or zstd",
    async (world) => {
      for (const [accept, encoding] of [
        ["gzip;q=0.2, deflate;q=0.8", "deflate"],
        ["deflate;q=0.2, gzip;q=0.8", "gzip"],
        ["gzip;q=0.5, identity", undefined],
        ["gzip;q=0", undefined],
        ["br", undefined],
        ["br;q=1, zstd;q=0.9, gzip;q=0.1", "gzip"],
        ["identity", undefined],
      ] as const) {
        const answer = await post(world, "rows", rowsJson(), { "accept-encoding": accept })
        assert.strictEqual(answer.headers["content-encoding"], encoding, accept)
      }
    },
  ],
  [
    "2 never compressed: metadata, statistics, configuration, the repository's index, errors",
    async (world) => {
      const accept = { "accept-encoding": "gzip" }
      for (const path of [
        "",
        "/health/ready",
        "/models",
        "/models/rows",
        "/models/stats",
        "/models/every/config",
      ])
        assert.notProperty(
          (await world.client.send("GET", `/v2${path}`, undefined, accept)).headers,
          "content-encoding",
          path,
        )
      const index = await world.client.send("POST", "/v2/repository/index", "", accept)
      assert.notProperty(index.headers, "content-encoding")
      errorOf(await post(world, "rows", "{".repeat(3000), accept), 400)
    },
  ],
  [
    "2 an unknown encoding is refused (the maintainers wanted 415) and says what is taken",
    async (world) => {
      for (const encoding of ["br", "zstd", "compress", "gzip, gzip"]) {
        const answer = await post(world, "rows", rowsJson(), { "content-encoding": encoding })
        errorOf(answer, 415)
        assert.strictEqual(answer.headers["accept-encoding"], "gzip, deflate")
      }
      assert.strictEqual(
        (await post(world, "rows", rowsJson(), { "content-encoding": "identity" })).status,
        200,
      )
    },
  ],
  [
    "2 the limit of a body holds for what comes out of it: 413",
    async (world) => {
      const bomb = gzipSync(Buffer.alloc(65 * 2 ** 20, " "), { level: 1 })
      errorOf(await post(world, "rows", bomb, { "content-encoding": "gzip" }), 413)
    },
  ],
  [
    "2 writeInfer and readInfer of the client agree with the bytes of the text",
    async () => {
      const { body, jsonLength } = writeInfer({ inputs: [rows([1, 2], { binary: true })] })
      assert.strictEqual(jsonLength, body.length - 8)
      assert.deepStrictEqual(Buffer.from(body.subarray(-8)), floats(1, 2))
    },
  ],
]
