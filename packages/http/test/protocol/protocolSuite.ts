/**
 * The rules of the Open Inference Protocol for infer, one by one, as a client meets them on every host: its JSON, its
 * datatypes, binary tensors and Triton's extensions.
 */
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import type { Settings } from "@modelforge/core"
import { Effect, type Scope } from "effect"
import { isV2Error } from "../handlers/problems.ts"
import { type Mount, withModel } from "../Mount.ts"
import { encode, type InferCall, type Input, infer, type Post } from "./V2Client.ts"

const floats = (values: ReadonlyArray<number>, fields: Partial<Input> = {}): Input => ({
  name: "x",
  datatype: "FP32",
  shape: [values.length / 2, 2],
  values,
  ...fields,
})

const binary = { binary_data: true }

/** A value of each datatype, the second its greatest or oddest. FP16 and BF16 are given by their bits. */
const everyDatatype = Object.entries({
  BOOL: [false, true],
  UINT8: [0, 255],
  UINT16: [0, 65_535],
  UINT32: [0, 4_294_967_295],
  UINT64: [0n, 2n ** 64n - 1n],
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  INT32: [-2_147_483_648, 2_147_483_647],
  INT64: [-(2n ** 63n), 2n ** 53n + 1n],
  FP16: [0x3c00, 0xfbff],
  BF16: [0x3f80, 0xff80],
  FP32: [-0, 1.5],
  FP64: [Math.PI, -Infinity],
  BYTES: [new Uint8Array(0), Uint8Array.of(0xff, 0, 0xfe)],
}).map(([datatype, values]) => ({ name: datatype, datatype, shape: [values.length], values, binary: true }))

/** Sent as JSON where the others are sent as bytes: some before, between and behind them. */
const jsonDatatypes = new Set(["BOOL", "UINT16", "INT16", "INT64", "FP32"])

/** Mounts, with a client for each model. */
const openWith =
  (open: (settings?: Partial<Settings>) => Effect.Effect<Mount, never, Scope.Scope>) =>
  (settings?: Partial<Settings>) =>
    Effect.gen(function* () {
      const mount = yield* open(settings)
      for (const name of ["floats", "long", "text", "word", "every"]) yield* withModel(mount, name, [name])
      const post =
        (model: string): Post =>
        (body, headers) =>
          mount.fetch(`/v2/models/${model}/infer`, { method: "POST", body, headers })
      return {
        mount,
        infer: (model: string, call: InferCall) => Effect.promise(() => infer(post(model), call)),
        /** The answer to a JSON and bytes behind it, as they are. */
        raw: (model: string, body: Uint8Array<ArrayBuffer> | string, headers: Record<string, string> = {}) =>
          mount.call(`/v2/models/${model}/infer`, { method: "POST", body, headers }),
      }
    })

export const protocolSuite = (
  host: string,
  mount: (settings?: Partial<Settings>) => Effect.Effect<Mount, never, Scope.Scope>,
) => {
  const open = openWith(mount)
  describe(`the Open Inference Protocol on ${host}`, () => {
    it.effect("JSON: the answer has the model, its version, the id, and outputs as they were asked for", () =>
      Effect.gen(function* () {
        const { infer } = yield* open()
        const answer = yield* infer("floats", { id: "mine", inputs: [floats([1, 2])] })
        assert.deepInclude(answer, { status: 200, id: "mine", model: "floats", version: "1" })
        assert.deepStrictEqual(answer.outputs, [
          { name: "x_out", datatype: "FP32", shape: [1, 2], values: [1, 2], binary: false },
        ])
        assert.isUndefined((yield* infer("floats", { inputs: [floats([1, 2])] })).id)
      }),
    )

    it.effect("JSON: unknown members are passed over, null stands for absent, any content type will do", () =>
      Effect.gen(function* () {
        const { raw } = yield* open()
        const input =
          '{"name":"x","datatype":"FP32","shape":[1,2],"data":[[1,2]],"parameters":null,"extra":{}}'
        const body = `{"model_name":"x","request_id":"1","id":null,"outputs":null,"parameters":null,"inputs":[${input}]}`
        for (const type of ["application/json", "application/octet-stream", "text/plain"])
          assert.strictEqual((yield* raw("floats", body, { "content-type": type })).status, 200)
      }),
    )

    it.effect("JSON: numbers of 64 bits are exact both ways; NaN and infinities are bare words", () =>
      Effect.gen(function* () {
        const { infer } = yield* open()
        const x = [2n ** 53n + 1n, -(2n ** 63n)]
        const u = [2n ** 64n - 1n]
        const { outputs } = yield* infer("long", {
          inputs: [
            { name: "x", datatype: "INT64", shape: [2], values: x },
            { name: "u", datatype: "UINT64", shape: [1], values: u },
          ],
        })
        assert.deepStrictEqual(
          outputs.map(({ values }) => values),
          [x, u],
        )
        const wild = [Number.NaN, Infinity, -Infinity, 0]
        assert.deepStrictEqual((yield* infer("floats", { inputs: [floats(wild)] })).outputs[0]?.values, wild)
      }),
    )

    it.effect("parameters: a flat map; reserved names are 400, sequences and shared memory 501", () =>
      Effect.gen(function* () {
        const { infer, raw } = yield* open()
        const call = (parameters: Readonly<Record<string, unknown>>) =>
          infer("floats", { parameters, inputs: [floats([1, 2])] })
        for (const [parameters, status] of [
          [{ mine: "a", other: 1.5, flag: true, priority: 1, timeout: 5_000_000 }, 200],
          [{ mine: null }, 400],
          [{ mine: {} }, 400],
          [{ mine: [] }, 400],
          [{ headers: "x" }, 400],
          [{ triton_x: 1 }, 400],
          [{ binary_data_output: "yes" }, 400],
          [{ timeout: 0 }, 400],
          [{ sequence_id: 5 }, 501],
          [{ sequence_start: true }, 501],
        ] as const)
          assert.strictEqual((yield* call(parameters)).status, status, JSON.stringify(parameters))
        const shared = {
          inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], parameters: { shared_memory_region: "r" } }],
        }
        isV2Error(
          yield* raw("floats", JSON.stringify(shared)),
          501,
          /shared memory regions are not supported/,
        )
      }),
    )

    it.effect("JSON: nesting beyond 100 levels is 400", () =>
      Effect.gen(function* () {
        const { raw } = yield* open()
        const deep = `${"[".repeat(99)}${"]".repeat(99)}`
        const body = (extra: string) =>
          `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}],"extra":${extra}}`
        assert.strictEqual((yield* raw("floats", body(deep))).status, 200)
        isV2Error(yield* raw("floats", body(`[[${deep}]]`)), 400, /nested deeper than 100 levels/)
      }),
    )

    it.effect("statuses and words of what is wrong are those that clients know", () =>
      Effect.gen(function* () {
        const { infer, raw, mount } = yield* open()
        const words = (call: InferCall, model = "floats") =>
          Effect.map(infer(model, call), ({ status, error }) => [status, error] as const)
        const told = Effect.fnUntraced(function* (call: InferCall, expected: number, message: RegExp) {
          const [status, error] = yield* words(call)
          assert.strictEqual(status, expected, error)
          assert.match(error ?? "", message)
        })
        yield* told({ inputs: [] }, 400, /^expected 1 inputs but got 0 inputs/)
        yield* told({ inputs: [floats([1, 2], { name: "z" })] }, 400, /^unexpected inference input 'z'/)
        yield* told({ inputs: [floats([1, 2], { datatype: "FP64" })] }, 400, /data-type is 'FP64'/)
        yield* told({ inputs: [floats([1, 2], { shape: [2] })] }, 400, /^unexpected shape for input 'x'/)
        yield* told({ inputs: [floats([1, 2]), floats([1, 2])] }, 400, /already exists in request/)
        yield* told(
          { inputs: [floats([1, 2])], outputs: [{ name: "q" }] },
          400,
          /^unexpected inference output/,
        )
        const [status, error] = yield* Effect.map(
          mount.call("/v2/models/nope/infer", { method: "POST", body: "{}" }),
          ({ status, text }) => [status, text] as const,
        )
        assert.deepStrictEqual(
          [status, error],
          [404, `{"error":"Request for unknown model: 'nope' is not found"}`],
        )
        isV2Error(yield* raw("floats", "{"), 400, /not JSON/)
      }),
    )

    it.effect("binary: every datatype goes both ways, bit for bit", () =>
      Effect.gen(function* () {
        const { infer } = yield* open()
        const answer = yield* infer("every", {
          inputs: everyDatatype,
          parameters: { binary_data_output: true },
        })
        assert.strictEqual(answer.status, 200, answer.error)
        assert.strictEqual(answer.headers.get("content-type"), "application/octet-stream")
        assert.deepStrictEqual(
          answer.outputs,
          everyDatatype.map((input) => ({ ...input, name: `${input.name}_out` })),
        )
      }),
    )

    it.effect("binary: inputs as JSON and as bytes mix, and so do outputs, listed or not", () =>
      Effect.gen(function* () {
        const { infer } = yield* open()
        const inputs = everyDatatype.map((input) => ({
          ...input,
          binary: !jsonDatatypes.has(input.datatype),
        }))
        const outputs = everyDatatype.map(({ name, datatype }) => ({
          name: `${name}_out`,
          parameters: { binary_data: !jsonDatatypes.has(datatype) },
        }))
        const { status, error, outputs: mixed } = yield* infer("every", { inputs, outputs })
        assert.strictEqual(status, 200, error)
        assert.deepStrictEqual(
          mixed.map(({ name, binary, values }) => ({ name, binary, values: values.map(String) })),
          inputs.map(({ name, binary, values }) => ({
            name: `${name}_out`,
            binary,
            values: values.map(String),
          })),
        )
      }),
    )

    it.effect("binary: an output that is listed says for itself, whatever binary_data_output says", () =>
      Effect.gen(function* () {
        const { infer } = yield* open()
        const parameters = { binary_data_output: true }
        const call = { inputs: [floats([1, 2])], parameters }
        for (const [outputs, isBinary] of [
          [[{ name: "x_out" }], false],
          [[{ name: "x_out", parameters: { binary_data: false } }], false],
          [[{ name: "x_out", parameters: binary }], true],
          [[], true],
        ] as const) {
          const answer = yield* infer("floats", { ...call, outputs })
          assert.deepStrictEqual(
            answer.outputs.map((output) => output.binary),
            [isBinary],
          )
          assert.strictEqual(answer.headers.has("inference-header-content-length"), isBinary)
          assert.strictEqual(
            answer.headers.get("content-type"),
            isBinary ? "application/octet-stream" : "application/json",
          )
        }
      }),
    )

    it.effect("binary: outputs without a byte make a plain JSON answer", () =>
      Effect.gen(function* () {
        const { mount, infer } = yield* open()
        const empty = { datatype: "FP32", shape: [0, 2], data: new Float32Array(0) } as const
        mount.forge.run = async () => ({ outputs: { x_out: empty }, queueMs: 0, computeMs: 0 })
        const { headers, outputs } = yield* infer("floats", {
          inputs: [floats([1, 2])],
          outputs: [{ name: "x_out", parameters: binary }],
        })
        assert.strictEqual(headers.get("content-type"), "application/json")
        assert.isFalse(headers.has("inference-header-content-length"))
        assert.deepStrictEqual(outputs, [
          { name: "x_out", datatype: "FP32", shape: [0, 2], values: [], binary: true },
        ])
      }),
    )

    it.effect("binary: sizes that do not add up are 400", () =>
      Effect.gen(function* () {
        const { raw } = yield* open()
        const { body, headers } = encode({ inputs: [floats([1, 2], { binary: true })] })
        const length = Number(headers["inference-header-content-length"])
        const refused = (sent: Uint8Array<ArrayBuffer>, header: string, message: RegExp) =>
          Effect.map(raw("floats", sent, { "inference-header-content-length": header }), (answer) =>
            isV2Error(answer, 400, message),
          )
        const bytes = new Uint8Array(body)
        yield* refused(bytes.slice(0, -1), String(length), /unexpected size for input/)
        yield* refused(new Uint8Array([...bytes, 0]), String(length), /unexpected additional input data/)
        yield* refused(bytes, String(bytes.length + 1), /Inference-Header-Content-Length is/)
        for (const odd of ["-1", "x", "1.5", "99999999999999999999"])
          yield* refused(bytes, odd, /^Inference-Header-Content-Length: expected/)
        yield* refused(bytes, String(length - 1), /not JSON/)
        const wrong = { inputs: [floats([1, 2, 3, 4], { binary: true, shape: [1, 2] })] }
        const misfit = encode(wrong)
        yield* refused(
          new Uint8Array(misfit.body),
          misfit.headers["inference-header-content-length"] ?? "",
          /unexpected size for input: expected 8 bytes for FP32 \[1, 2\], got 16/,
        )
        // Without the header all of the body is JSON.
        isV2Error(yield* raw("floats", bytes), 400, /not JSON/)
        isV2Error(
          yield* raw("floats", bytes.slice(0, length)),
          400,
          /unexpected size for input: it says 8 bytes, but 0 are left/,
        )
      }),
    )

    it.effect("binary: a raw request is the only input's bytes, and answered with bytes", () =>
      Effect.gen(function* () {
        const { mount, raw } = yield* open()
        const header = { "inference-header-content-length": "0" }
        const sent = new Uint8Array(Float32Array.of(1, 2).buffer)
        const response = yield* Effect.promise(() =>
          mount.fetch("/v2/models/floats/infer", { method: "POST", body: sent, headers: header }),
        )
        const length = Number(response.headers.get("inference-header-content-length"))
        const bytes = new Uint8Array(yield* Effect.promise(() => response.arrayBuffer()))
        assert.deepStrictEqual(bytes.slice(length), sent)
        const word = yield* raw("word", "hello", header)
        assert.isTrue(
          word.text.endsWith('"parameters":{"binary_data_size":9}}]}\u0005\0\0\0hello'),
          word.text,
        )
        isV2Error(yield* raw("floats", "12345678901234567890", header), 400, /unexpected size for input/)
        isV2Error(yield* raw("long", "12345678", header), 400, /for models of one input/)
      }),
    )

    it.effect("compression: gzip and deflate, both ways, of JSON and of bytes", () =>
      Effect.gen(function* () {
        const { infer } = yield* open()
        const values = Array.from({ length: 2000 }, (_, index) => index)
        for (const compression of ["gzip", "deflate"] as const)
          for (const asBytes of [false, true]) {
            const answer = yield* infer("floats", {
              inputs: [floats(values, { binary: asBytes })],
              outputs: [{ name: "x_out", parameters: { binary_data: asBytes } }],
              compression,
              accept: compression,
            })
            assert.strictEqual(answer.status, 200, answer.error)
            assert.strictEqual(answer.headers.get("content-encoding"), compression)
            assert.deepStrictEqual(answer.outputs[0]?.values, values)
          }
      }),
    )

    it.effect("compression: by weight, never br, never of failures or of other answers", () =>
      Effect.gen(function* () {
        const { infer, raw, mount } = yield* open()
        const call = { inputs: [floats([1, 2])] }
        for (const [accept, encoding] of [
          ["gzip;q=0.2, deflate;q=0.8", "deflate"],
          ["gzip, identity;q=0.5", "gzip"],
          ["br", null],
          ["identity", null],
          ["gzip;q=0", null],
        ] as const)
          assert.strictEqual(
            (yield* infer("floats", { ...call, accept })).headers.get("content-encoding"),
            encoding,
          )
        const accept = { "accept-encoding": "gzip" }
        const failure = yield* raw("floats", "{", accept)
        isV2Error(failure, 400, /not JSON/)
        assert.isNull(failure.headers.get("content-encoding"))
        for (const path of ["/v2", "/v2/models/floats", "/v2/health/ready"])
          assert.isNull((yield* mount.call(path, { headers: accept })).headers.get("content-encoding"), path)
      }),
    )

    it.effect("compression: an unknown coding is 415 that says what is taken, a damaged body 400", () =>
      Effect.gen(function* () {
        const { raw } = yield* open()
        for (const coding of ["br", "zstd", "gzip, gzip"]) {
          const answer = yield* raw("floats", "x", { "content-encoding": coding })
          isV2Error(answer, 415, /send gzip, deflate/)
          assert.strictEqual(answer.headers.get("accept-encoding"), "gzip, deflate")
        }
        isV2Error(yield* raw("floats", "{}", { "content-encoding": "gzip" }), 400, /can't be decompressed/)
      }),
    )

    it.effect("compression: the limit is that of the decompressed body", () =>
      Effect.gen(function* () {
        const { raw } = yield* open({ maxRequestBytes: 10_000 })
        const bomb = new Uint8Array(gzipSync(Buffer.alloc(5_000_000, " ")))
        assert.isBelow(bomb.length, 10_000)
        isV2Error(
          yield* raw("floats", bomb, { "content-encoding": "gzip" }),
          413,
          /larger than the 10000 bytes/,
        )
      }),
    )

    it.effect("classification: the best of each row, as JSON or bytes", () =>
      Effect.gen(function* () {
        const { infer } = yield* open()
        const call = (parameters: Readonly<Record<string, unknown>>) =>
          infer("floats", { inputs: [floats([1, 2.5, 4, 3])], outputs: [{ name: "x_out", parameters }] })
        assert.deepStrictEqual((yield* call({ classification: 1 })).outputs, [
          {
            name: "x_out",
            datatype: "BYTES",
            shape: [2, 1],
            values: ["2.500000:1", "4.000000:0"],
            binary: false,
          },
        ])
        const { outputs } = yield* call({ classification: 9, binary_data: true })
        assert.deepStrictEqual(outputs[0]?.shape, [2, 2])
        assert.deepStrictEqual(
          outputs[0]?.values.map((value) => Buffer.from(value as Uint8Array).toString()),
          ["2.500000:1", "1.000000:0", "4.000000:0", "3.000000:1"],
        )
        assert.strictEqual((yield* call({ classification: 0 })).status, 400)
        const text = yield* infer("word", {
          inputs: [{ name: "x", datatype: "BYTES", shape: [1], values: ["a"] }],
          outputs: [{ name: "x_out", parameters: { classification: 1 } }],
        })
        assert.strictEqual(text.status, 400)
      }),
    )
  })
}
