import { assert, describe, it } from "@effect/vitest"
import { ForgeConfig, ModelRuntime, type Signature } from "@modelforge/core"
import { OnnxRuntime, type TrialOptions } from "@modelforge/onnx"
import { Duration, Effect } from "effect"
import { defaultTimeLimit } from "../../src/runtime/Trial.ts"
import * as onnx from "../onnxFile.ts"
import { runnersOf } from "../processes.ts"
import { scan } from "../scanner/scanning.ts"
import { modelFile, runtimeError } from "./runtimeSuite.ts"

const { elementType: type } = onnx

/** Tries a file with the signature that the scanner reads from it, unless another is given. */
const trial = (bytes: Uint8Array, options: TrialOptions = {}, signature?: Signature, entry?: URL) =>
  Effect.gen(function* () {
    const runtime = yield* ModelRuntime
    const read = signature ?? (yield* scan([bytes])).signature
    yield* runtime.trial(yield* modelFile(bytes), read)
  }).pipe(
    Effect.scoped,
    Effect.provide(OnnxRuntime.layerProcess({ trial: options, ...(entry === undefined ? {} : { entry }) })),
  )

const refusal = (...args: Parameters<typeof trial>) =>
  Effect.gen(function* () {
    const error = runtimeError(yield* Effect.flip(trial(...args)))
    assert.strictEqual(error.reason._tag, "LoadFailed", error.message)
    assert.deepStrictEqual(runnersOf(process.pid), [])
    return error.message
  })

const crashing = new URL("./crashingRunner.ts", import.meta.url)
const x = { name: "x", datatype: "FP32", shape: ["n"] } as const
const y = { name: "y", datatype: "FP32", shape: ["n"] } as const

describe("trial", () => {
  it("may take longer than an upload waits for it, so that slow models become versions", () =>
    assert.isTrue(Duration.isGreaterThan(defaultTimeLimit, ForgeConfig.defaults.validationPatience)))

  it.live("accepts models of every datatype, and those that fail on made-up inputs in an orderly way", () =>
    Effect.gen(function* () {
      for (const element of [type.FP16, type.BOOL, type.BYTES, type.UINT64, type.FP64]) {
        yield* trial(onnx.identity(element, ["batch", null, 0, 3]))
      }
      yield* trial(
        onnx.model({
          nodes: [onnx.node("Reshape", ["x", "s"], ["y"])],
          inputs: [onnx.value("x", type.FP32, ["n"])],
          outputs: [onnx.value("y", type.FP32, ["a", "b"])],
          initializers: [onnx.int64s("s", [2], [2n, 2n])],
        }),
      )
    }),
  )

  it.live("accepts a model whose inputs are too large to make up, without running it", () =>
    trial(onnx.identity(type.FP32, [20_000_000])),
  )

  it.live("leaves the outputs, however large, in the process that is thrown away", () =>
    Effect.gen(function* () {
      const mebibytes = 400
      const size = mebibytes * 2 ** 20
      const before = process.memoryUsage().rss
      let peak = before
      const watch = Effect.sync(() => {
        peak = Math.max(peak, process.memoryUsage().rss)
      }).pipe(Effect.andThen(Effect.sleep("10 millis")), Effect.forever)
      const large = trial(
        onnx.model({
          nodes: [
            onnx.node("ConstantOfShape", ["size"], ["y"], {
              attributes: [
                onnx.attributeTensor(
                  "value",
                  onnx.tensor("", type.UINT8, [1], onnx.rawData(Uint8Array.of(7))),
                ),
              ],
            }),
          ],
          outputs: [onnx.value("y", type.UINT8, [size])],
          initializers: [onnx.int64s("size", [1], [BigInt(size)])],
        }),
      )
      yield* Effect.raceFirst(large, watch)
      assert.isBelow(peak - before, size / 4)
    }),
  )

  it.live("refuses what the runtime refuses", () =>
    Effect.gen(function* () {
      const message = yield* refusal(onnx.oneNode(onnx.node("Bogus", ["x"], ["y"])))
      assert.match(message, /No Op registered for Bogus/)
    }),
  )

  it.live("refuses a model whose inputs or outputs the runtime sees otherwise", () =>
    Effect.gen(function* () {
      const file = onnx.identity(type.FP32)
      for (const [signature, says] of [
        [{ inputs: [], outputs: [y] }, /sees an input "x" that the file's reader does not/],
        [{ inputs: [x, { ...x, name: "z" }], outputs: [y] }, /does not see the input "z"/],
        [{ inputs: [x], outputs: [] }, /sees an output "y"/],
        [{ inputs: [x], outputs: [y, { ...y, name: "z" }] }, /does not see the output "z"/],
      ] as const) {
        assert.match(yield* refusal(file, {}, signature), says)
      }
    }),
  )

  it.live("ends a run that does not end", () =>
    Effect.gen(function* () {
      const message = yield* refusal(onnx.loop(1_000_000_000_000n), { timeLimit: "1 second" })
      assert.match(message, /did not run once on made-up inputs within 1s/)
    }),
  )

  it.live("ends a load that does not end", () =>
    Effect.gen(function* () {
      const message = yield* refusal(
        Buffer.from("hang"),
        { timeLimit: "1 second" },
        { inputs: [], outputs: [] },
        crashing,
      )
      assert.match(message, /did not load within 1s/)
    }),
  )

  it.live("ends a model that takes too much memory", () =>
    Effect.gen(function* () {
      const message = yield* refusal(onnx.huge([400_000_000n]), { memoryLimit: 500 * 1024 * 1024 })
      assert.match(message, /used more than 500 MiB of memory/)
    }),
  )

  it.live("refuses a model that crashes the runtime", () =>
    Effect.gen(function* () {
      const message = yield* refusal(Buffer.from("crash"), {}, { inputs: [], outputs: [] }, crashing)
      assert.match(message, /loading it crashed the runtime \(signal SIGABRT\)/)
    }),
  )

  it.live("says so when no process can be started, which is not the model's fault", () =>
    Effect.gen(function* () {
      const error = runtimeError(
        yield* Effect.flip(
          trial(onnx.identity(type.FP32), {}, undefined, new URL("file:///nowhere/runner.js")),
        ),
      )
      assert.strictEqual(error.reason._tag, "RunnerUnavailable")
    }),
  )

  it.live("tries no more models at a time than it may", () =>
    Effect.gen(function* () {
      const runtime = yield* ModelRuntime
      const file = yield* modelFile(onnx.loop(300_000n))
      const signature = { inputs: [x], outputs: [y] }
      let most = 0
      const look = Effect.sync(() => {
        most = Math.max(most, runnersOf(process.pid).length)
      })
      yield* Effect.raceFirst(
        Effect.forEach([1, 2, 3, 4, 5], () => runtime.trial(file, signature), { concurrency: "unbounded" }),
        Effect.forever(Effect.andThen(look, Effect.sleep("5 millis"))),
      )
      assert.strictEqual(most, 2)
    }).pipe(Effect.scoped, Effect.provide(OnnxRuntime.layerInline)),
  )

  it.live("leaves no process behind when it is interrupted", () =>
    Effect.gen(function* () {
      yield* Effect.raceFirst(
        trial(onnx.loop(1_000_000_000_000n)),
        Effect.repeat(Effect.sleep("10 millis"), { until: () => runnersOf(process.pid).length === 1 }),
      )
      assert.deepStrictEqual(runnersOf(process.pid), [])
    }),
  )
})
