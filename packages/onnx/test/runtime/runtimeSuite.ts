/** What every runtime of this package must do, whichever process it runs models in. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, layer } from "@effect/vitest"
import { ModelRuntime, type RunResult, RuntimeError, type Tensor, type Tensors } from "@modelforge/core"
import { Cause, Effect, Exit, type Layer, Scope } from "effect"
import { exampleNames, examplePath, exampleVectors } from "../exampleModels.ts"
import * as onnx from "../onnxFile.ts"

const { elementType: type } = onnx

/** A file with `bytes` that is gone with the scope. */
export const modelFile = (bytes: Uint8Array): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "modelforge-onnx-"))
      writeFileSync(join(folder, "artifact"), bytes)
      return folder
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true })),
  ).pipe(Effect.map((folder) => join(folder, "artifact")))

export const loadBytes = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const runtime = yield* ModelRuntime
  return yield* runtime.load(yield* modelFile(bytes))
})

/** A run as an effect: fails with what the promise rejects with. */
export const run = (promise: () => Promise<RunResult>): Effect.Effect<RunResult, unknown> =>
  Effect.tryPromise({ try: promise, catch: (cause) => cause })

export const runtimeError = (error: unknown): RuntimeError => {
  assert.instanceOf(error, RuntimeError)
  return error
}

export const floats = (...values: ReadonlyArray<number>): Tensor => ({
  datatype: "FP32",
  shape: [values.length],
  data: Float32Array.from(values),
})

const only = (result: RunResult, name = "y"): Tensor => {
  const tensor = result.outputs[name]
  assert.isDefined(tensor)
  return tensor
}

const closeTo = (actual: Tensors, expected: Tensors) => {
  assert.sameMembers(Object.keys(actual), Object.keys(expected))
  for (const [name, want] of Object.entries(expected)) {
    const got = actual[name]
    assert.strictEqual(got?.datatype, want.datatype)
    assert.deepStrictEqual(got?.shape, want.shape)
    want.data.forEach((value, index) => {
      assert.isAtMost(
        Math.abs(Number(got?.data[index]) - Number(value)),
        1e-5 * Math.max(1, Math.abs(Number(value))),
      )
    })
  }
}

/** Bit patterns that conversions like to change: NaN payloads, subnormals, extremes, both zeros. */
const patterns: ReadonlyArray<Tensor> = [
  { datatype: "BOOL", shape: [3], data: Uint8Array.of(0, 1, 1) },
  { datatype: "UINT8", shape: [3], data: Uint8Array.of(0, 127, 255) },
  { datatype: "INT8", shape: [3], data: Int8Array.of(-128, 0, 127) },
  { datatype: "UINT16", shape: [2], data: Uint16Array.of(1, 65535) },
  { datatype: "INT16", shape: [2], data: Int16Array.of(-32768, 32767) },
  { datatype: "UINT32", shape: [2], data: Uint32Array.of(1, 4294967295) },
  { datatype: "INT32", shape: [2], data: Int32Array.of(-2147483648, 2147483647) },
  { datatype: "UINT64", shape: [2], data: BigUint64Array.of(2n ** 53n + 1n, 2n ** 64n - 1n) },
  { datatype: "INT64", shape: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n) },
  { datatype: "FP16", shape: [5], data: Uint16Array.of(0x7e01, 0x0001, 0x8000, 0xfc00, 0x3c00) },
  {
    datatype: "FP32",
    shape: [4],
    data: new Float32Array(Uint32Array.of(0x7fc00001, 1, 0x80000000, 0x7f800000).buffer),
  },
  {
    datatype: "FP64",
    shape: [3],
    data: new Float64Array(BigUint64Array.of(0x7ff8000000000001n, 1n, 1n << 63n).buffer),
  },
  {
    datatype: "BYTES",
    shape: [4],
    data: ["", "a", "é😀\n\u0001", "x".repeat(100_000)].map((text) => Buffer.from(text)),
  },
]

const bits = (tensor: Tensor): ReadonlyArray<string> =>
  tensor.datatype === "BYTES"
    ? tensor.data.map((element) => Buffer.from(element).toString("hex"))
    : [Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength).toString("hex")]

export const suite = (name: string, runtime: Layer.Layer<ModelRuntime>): void => {
  layer(runtime, { excludeTestServices: true })(name, (it) => {
    for (const example of exampleNames) {
      it.effect(`gives for ${example} what the trainer's runtime gave`, () =>
        Effect.gen(function* () {
          const model = yield* (yield* ModelRuntime).load(examplePath(example))
          const { inputs, outputs } = exampleVectors(example)
          const result = yield* run(() => model.run([inputs], Object.keys(outputs)))
          closeTo(result.outputs, outputs)
          assert.isAbove(result.computeMs, 0)
          assert.isAtLeast(result.queueMs, 0)
        }),
      )
    }

    for (const tensor of patterns) {
      it.effect(`carries ${tensor.datatype} without changing a bit`, () =>
        Effect.gen(function* () {
          const model = yield* loadBytes(onnx.identity(type[tensor.datatype]))
          const got = only(yield* run(() => model.run([{ x: tensor }], ["y"])))
          assert.strictEqual(got.datatype, tensor.datatype)
          assert.deepStrictEqual(got.shape, tensor.shape)
          assert.deepStrictEqual(bits(got), bits(tensor))
        }),
      )
    }

    it.effect("carries views into larger buffers, scalars and empty tensors", () =>
      Effect.gen(function* () {
        const vector = yield* loadBytes(onnx.identity(type.FP32))
        const view = Float32Array.of(9, 1, 2, 3, 9).subarray(1, 4)
        const viewed = yield* run(() =>
          vector.run([{ x: { datatype: "FP32", shape: [3], data: view } }], ["y"]),
        )
        assert.deepStrictEqual(only(viewed).data, Float32Array.of(1, 2, 3))
        const empty = only(yield* run(() => vector.run([{ x: floats() }], ["y"])))
        assert.deepStrictEqual([empty.shape, empty.data.length], [[0], 0])
        const matrix = yield* loadBytes(onnx.identity(type.INT64, ["a", "b"]))
        const flat = { datatype: "INT64", shape: [3, 0], data: new BigInt64Array(0) } as const
        assert.deepStrictEqual(only(yield* run(() => matrix.run([{ x: flat }], ["y"]))).shape, [3, 0])
        const texts = yield* loadBytes(onnx.identity(type.BYTES))
        const none = { datatype: "BYTES", shape: [0], data: [] } as const
        assert.deepStrictEqual(only(yield* run(() => texts.run([{ x: none }], ["y"]))), none)
        const scalar = yield* loadBytes(onnx.identity(type.FP64, []))
        const one = { datatype: "FP64", shape: [], data: Float64Array.of(0.1) } as const
        assert.deepStrictEqual(only(yield* run(() => scalar.run([{ x: one }], ["y"]))), one)
      }),
    )

    it.effect("carries tensors of many megabytes", () =>
      Effect.gen(function* () {
        const model = yield* loadBytes(onnx.identity(type.FP32))
        const data = Float32Array.from({ length: 2_500_001 }, (_, index) => index)
        const big: Tensor = { datatype: "FP32", shape: [data.length], data }
        assert.isTrue(bits(only(yield* run(() => model.run([{ x: big }], ["y"]))))[0] === bits(big)[0])
      }),
    )

    for (const tensor of patterns) {
      it.effect(`lays the ${tensor.datatype} rows of several requests behind each other`, () =>
        Effect.gen(function* () {
          const model = yield* loadBytes(onnx.identity(type[tensor.datatype]))
          const got = only(yield* run(() => model.run([{ x: tensor }, { x: tensor }, { x: tensor }], ["y"])))
          assert.deepStrictEqual(got.shape, [3 * tensor.data.length])
          const once = bits(tensor)
          const joined = tensor.datatype === "BYTES" ? [...once, ...once, ...once] : [once.join().repeat(3)]
          assert.deepStrictEqual(bits(got), joined)
        }),
      )
    }

    it.effect("joins requests of different numbers of rows, and refuses those that can't be joined", () =>
      Effect.gen(function* () {
        const model = yield* loadBytes(onnx.identity(type.INT64, ["n", "m"]))
        const rows = (count: number, width: number) => ({
          x: {
            datatype: "INT64",
            shape: [count, width],
            data: BigInt64Array.from({ length: count * width }, (_, index) => BigInt(index)),
          } as const,
        })
        const got = only(yield* run(() => model.run([rows(1, 2), rows(0, 2), rows(2, 2)], ["y"])))
        assert.deepStrictEqual(got.shape, [3, 2])
        assert.deepStrictEqual(got.data, BigInt64Array.of(0n, 1n, 0n, 1n, 2n, 3n))
        const { reason } = runtimeError(
          yield* Effect.flip(run(() => model.run([rows(1, 2), rows(1, 3)], ["y"]))),
        )
        assert.strictEqual(reason._tag, "RunFailed")
        assert.match(reason.message, /differs between requests in more than its rows/)
      }),
    )

    it.effect("gives the outputs that were asked for, and no others", () =>
      Effect.gen(function* () {
        const model = yield* (yield* ModelRuntime).load(examplePath("wine"))
        const { inputs } = exampleVectors("wine")
        const result = yield* run(() => model.run([inputs], ["label"]))
        assert.deepStrictEqual(Object.keys(result.outputs), ["label"])
      }),
    )

    it.effect("runs a model without inputs", () =>
      Effect.gen(function* () {
        const model = yield* loadBytes(
          onnx.model({
            nodes: [onnx.node("Identity", ["w"], ["y"])],
            initializers: [onnx.int64s("w", [2], [3n, 4n])],
            outputs: [onnx.value("y", type.INT64, [2])],
          }),
        )
        assert.deepStrictEqual(only(yield* run(() => model.run([{}], ["y"]))).data, BigInt64Array.of(3n, 4n))
      }),
    )

    it.effect("never mixes up runs at the same time, of one model or several", () =>
      Effect.gen(function* () {
        const models = [
          yield* loadBytes(onnx.identity(type.FP32)),
          yield* loadBytes(onnx.oneNode(onnx.node("Neg", ["x"], ["y"]))),
        ]
        const results = yield* Effect.promise(() =>
          Promise.all(
            Array.from({ length: 300 }, (_, index) =>
              models[index % 2]?.run(
                [{ x: floats(...new Array<number>(1 + (index % 7) * 3000).fill(index)) }],
                ["y"],
              ),
            ),
          ),
        )
        results.forEach((result, index) => {
          const data = result?.outputs["y"]?.data ?? []
          assert.strictEqual(data.length, 1 + (index % 7) * 3000)
          assert.isTrue(
            Array.from(data, Number).every((value) => value === (index % 2 === 0 ? index : -index)),
          )
        })
      }),
    )

    it.effect("fails a run in words, and does the next one", () =>
      Effect.gen(function* () {
        const model = yield* loadBytes(
          onnx.model({
            nodes: [onnx.node("Reshape", ["x", "s"], ["y"], { name: "/model/reshape" })],
            inputs: [onnx.value("x", type.FP32, ["n"])],
            outputs: [onnx.value("y", type.FP32, ["a", "b"])],
            initializers: [onnx.int64s("s", [2], [2n, 2n])],
          }),
        )
        const { reason } = runtimeError(
          yield* Effect.flip(run(() => model.run([{ x: floats(1, 2, 3) }], ["y"]))),
        )
        assert.strictEqual(reason._tag, "RunFailed")
        assert.match(reason.message, /Reshape.*\/model\/reshape.*cannot be reshaped/)
        assert.notMatch(reason.message, /onnxruntime_src|onnxruntime::|\.h:|\.cc:/)
        assert.deepStrictEqual(
          only(yield* run(() => model.run([{ x: floats(1, 2, 3, 4) }], ["y"]))).shape,
          [2, 2],
        )
      }),
    )

    it.effect("fails runs whose outputs are larger than a run may give, and goes on", () =>
      Effect.gen(function* () {
        const model = yield* loadBytes(
          onnx.model({
            nodes: [onnx.node("ConstantOfShape", ["size"], ["y"])],
            inputs: [onnx.value("size", type.INT64, [1])],
            outputs: [onnx.value("y", type.FP32, ["n"])],
          }),
        )
        const size = (count: bigint): Tensors => ({
          size: { datatype: "INT64", shape: [1], data: BigInt64Array.of(count) },
        })
        const mebibyte = 2n ** 20n / 4n
        const { reason } = runtimeError(
          yield* Effect.flip(run(() => model.run([size(257n * mebibyte)], ["y"]))),
        )
        assert.strictEqual(reason._tag, "RunFailed")
        assert.match(reason.message, /its outputs take 257 MiB, more than the 256 MiB/)
        assert.deepStrictEqual(only(yield* run(() => model.run([size(2n)], ["y"]))).shape, [2])
      }),
    )

    it.effect("fails runs that ask for what is not there", () =>
      Effect.gen(function* () {
        const model = yield* loadBytes(onnx.identity(type.FP32))
        for (const attempt of [
          () => model.run([{ x: floats(1) }], ["z"]),
          () => model.run([{}], ["y"]),
          () => model.run([{ x: { datatype: "INT64", shape: [1], data: BigInt64Array.of(1n) } }], ["y"]),
        ]) {
          assert.strictEqual(runtimeError(yield* Effect.flip(run(attempt))).reason._tag, "RunFailed")
        }
      }),
    )

    it.effect("fails runs with elements that the runtime can't carry", () =>
      Effect.gen(function* () {
        const model = yield* loadBytes(onnx.identity(type.BYTES))
        const element = (...bytes: ReadonlyArray<number>): Tensors => ({
          x: { datatype: "BYTES", shape: [1], data: [Uint8Array.from(bytes)] },
        })
        const bfloat16: Tensors = { x: { datatype: "BF16", shape: [1], data: new Uint16Array(1) } }
        for (const [inputs, says] of [
          [element(0xff), /input "x" has an element that is not UTF-8/],
          [element(0x61, 0), /NUL/],
          [bfloat16, /BF16/],
        ] as const) {
          const { reason } = runtimeError(yield* Effect.flip(run(() => model.run([inputs], ["y"]))))
          assert.strictEqual(reason._tag, "RunFailed")
          assert.match(reason.message, says)
        }
      }),
    )

    it.effect("refuses a broken file in words without its path", () =>
      Effect.gen(function* () {
        for (const [bytes, says] of [
          [Buffer.from("no model"), /^The model could not be loaded: Protobuf parsing failed/],
          [onnx.oneNode(onnx.node("Bogus", ["x"], ["y"])), /No Op registered for Bogus/],
        ] as const) {
          const error = runtimeError(yield* Effect.flip(loadBytes(bytes)))
          assert.strictEqual(error.reason._tag, "LoadFailed")
          assert.match(error.message, says)
          assert.notInclude(error.message, "modelforge-onnx-")
        }
        const missing = yield* (yield* ModelRuntime).load("/nowhere/at/all").pipe(Effect.flip)
        assert.strictEqual(missing.reason._tag, "LoadFailed")
        assert.notInclude(missing.message, "/nowhere")
      }),
    )

    it.effect("finishes runs before it unloads, and runs nothing afterwards", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const model = yield* loadBytes(onnx.loop(10_000n)).pipe(Scope.provide(scope))
        const running = [1, 2].map((value) => model.run([{ x: floats(value) }], ["y"]))
        yield* Scope.close(scope, Exit.void)
        for (const result of yield* Effect.promise(() => Promise.all(running))) {
          assert.lengthOf(only(result).data, 1)
        }
        const late = runtimeError(yield* Effect.flip(run(() => model.run([{ x: floats(1) }], ["y"]))))
        assert.match(late.message, /unloaded/)
      }),
    )

    it.effect("tries a model apart and finds nothing wrong", () =>
      Effect.gen(function* () {
        const runtime = yield* ModelRuntime
        yield* runtime.trial(yield* modelFile(onnx.identity(type.BYTES, [2, "n", null])), {
          inputs: [{ name: "x", datatype: "BYTES", shape: [2, "n", -1] }],
          outputs: [{ name: "y", datatype: "BYTES", shape: [2, "n", -1] }],
        })
      }),
    )

    it.effect("can be interrupted while it loads", () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(
          Effect.raceFirst(loadBytes(onnx.identity(type.FP32)), Effect.interrupt),
        )
        assert.isTrue(Exit.isFailure(exit) ? Cause.hasInterruptsOnly(exit.cause) : true)
        const model = yield* loadBytes(onnx.identity(type.FP32))
        assert.lengthOf(only(yield* run(() => model.run([{ x: floats(1) }], ["y"]))).data, 1)
      }),
    )
  })
}
