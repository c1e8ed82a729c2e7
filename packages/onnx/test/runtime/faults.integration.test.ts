/** What goes wrong in real runners, and what others notice of it. */
import { assert, describe, it } from "@effect/vitest"
import {
  type LoadedModel,
  ModelRuntime,
  type Placement,
  type RunResult,
  RuntimeError,
} from "@modelforge/core"
import { OnnxRuntime } from "@modelforge/onnx"
import { Effect, Exit, Fiber, Scope } from "effect"
import { random } from "../../../core/test/random.ts"
import * as onnx from "../onnxFile.ts"
import { runnersOf } from "../processes.ts"
import { floats, loadBytes, modelFile, run, runtimeError } from "./runtimeSuite.ts"

const crashing = new URL("./crashingRunner.ts", import.meta.url)
const identity = onnx.identity(onnx.elementType.FP32)
const endless = onnx.loop(1_000_000_000_000n)

const loadPlaced = Effect.fnUntraced(function* (bytes: Uint8Array, placement: Placement) {
  return yield* (yield* ModelRuntime).load(yield* modelFile(bytes), placement)
})

const outcome = (promise: Promise<RunResult>): Effect.Effect<string> =>
  Effect.promise(() =>
    promise.then(
      ({ outputs }) => Array.from(outputs["y"]?.data ?? [], String).join(),
      (error: unknown) => runtimeError(error).reason._tag,
    ),
  )

const outcomes = (promises: ReadonlyArray<Promise<RunResult>>) =>
  Effect.forEach(promises, outcome, { concurrency: "unbounded" })

describe("runners killed under load", () => {
  it.live("give right answers, or say that they are lost", () =>
    Effect.gen(function* () {
      const model = yield* loadBytes(onnx.oneNode(onnx.node("Neg", ["x"], ["y"])))
      const { int, pick } = random(1)
      const seen = new Map<string, number>()
      let next = 0
      let kills = 0
      const once = async (value: number): Promise<string> => {
        try {
          const { outputs } = await model.run([{ x: floats(value, value) }, { x: floats(value) }], ["y"])
          assert.deepStrictEqual(outputs["y"]?.data, Float32Array.of(-value, -value, -value))
          return "answered"
        } catch (error) {
          assert.instanceOf(error, RuntimeError)
          return error.reason._tag
        }
      }
      const caller = async () => {
        while (next < 1000) {
          const value = ++next
          let ending = await once(value)
          if (ending === "RunnerLost") ending = await once(value)
          seen.set(ending, (seen.get(ending) ?? 0) + 1)
          if (int(120) === 0) {
            const alive = runnersOf(process.pid)
            if (alive.length > 0) {
              process.kill(pick(alive), "SIGKILL")
              kills++
            }
          }
        }
      }
      yield* Effect.promise(() => Promise.all(Array.from({ length: 8 }, caller)))
      assert.isAbove(kills, 2)
      assert.sameMembers(
        [...seen.keys()].filter((tag) => !["answered", "RunnerLost"].includes(tag)),
        [],
      )
      assert.isAbove(seen.get("answered") ?? 0, 950)
    }).pipe(
      Effect.scoped,
      Effect.provide(OnnxRuntime.layerProcess({ runners: 2, quarantine: { crashes: 1000 } })),
    ),
  )

  it.live("leave a model usable on its other instances while one is loaded again", () =>
    Effect.gen(function* () {
      const model = yield* loadBytes(identity)
      assert.strictEqual(model.concurrency, 4)
      const [first = 0, second] = runnersOf(process.pid)
      process.kill(first, "SIGKILL")
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => model.concurrency === 2 })
      for (let count = 0; count < 5; count++) {
        assert.strictEqual(yield* outcome(model.run([{ x: floats(count) }], ["y"])), String(count))
      }
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => model.concurrency === 4 })
      assert.include(runnersOf(process.pid), second)
    }).pipe(Effect.scoped, Effect.provide(OnnxRuntime.layerProcess({ runners: 2 }))),
  )
})

describe("a run that crashes its runner", () => {
  it.live("is lost, and holds its model off when it comes again and again, but no other", () =>
    Effect.gen(function* () {
      const good = yield* loadBytes(identity)
      const bad = yield* loadBytes(identity)
      const crash = () => outcome(bad.run([{ x: floats(-1) }], ["y"]))
      assert.strictEqual(yield* crash(), "RunnerLost")
      assert.strictEqual(yield* crash(), "RunnerLost")
      assert.strictEqual(yield* outcome(bad.run([{ x: floats(5) }], ["y"])), "5")
      assert.strictEqual(yield* crash(), "RunnerLost")
      const held = runtimeError(yield* Effect.flip(run(() => bad.run([{ x: floats(5) }], ["y"]))))
      assert.strictEqual(held.reason._tag, "LoadFailed")
      assert.match(held.message, /crashed the runtime 3 times \(signal SIGABRT\); upload a fixed version/)
      assert.strictEqual(yield* outcome(good.run([{ x: floats(6) }], ["y"])), "6")
      // One attempt passes after a while; it does no harm, so others may follow.
      yield* Effect.sleep("1 second")
      assert.strictEqual(yield* outcome(bad.run([{ x: floats(7) }], ["y"])), "7")
      assert.strictEqual(yield* outcome(bad.run([{ x: floats(8) }], ["y"])), "8")
    }).pipe(
      Effect.scoped,
      Effect.provide(
        OnnxRuntime.layerProcess({ runners: 2, entry: crashing, quarantine: { holdOffMs: 1000 } }),
      ),
    ),
  )
})

describe("a run that does not end", () => {
  it.live("is ended at its limit, while another model keeps answering", () =>
    Effect.gen(function* () {
      const slow = yield* loadPlaced(endless, { runLimitMs: 300 })
      const quick = yield* loadBytes(identity)
      let ended = false
      const timedOut = yield* run(() => slow.run([{ x: floats(1) }], ["y"])).pipe(
        Effect.flip,
        Effect.ensuring(
          Effect.sync(() => {
            ended = true
          }),
        ),
        Effect.forkChild,
      )
      let answered = 0
      while (!ended) {
        assert.strictEqual(yield* outcome(quick.run([{ x: floats(answered) }], ["y"])), String(answered))
        answered++
      }
      assert.isAbove(answered, 10)
      const { reason } = runtimeError(yield* Fiber.join(timedOut))
      assert.deepStrictEqual(
        [reason._tag, reason._tag === "RunTimedOut" && reason.limitMs],
        ["RunTimedOut", 300],
      )
      assert.match(reason.message, /longer than the 300 ms/)
    }).pipe(Effect.scoped, Effect.provide(OnnxRuntime.layerProcess({ runners: 2 }))),
  )

  it.live("loses what was staged behind it, which is not its fault", () =>
    Effect.gen(function* () {
      const slow = yield* loadPlaced(endless, { runLimitMs: 300 })
      const quick = yield* loadBytes(identity)
      const runs = [slow, quick, slow].map((model) => model.run([{ x: floats(1) }], ["y"]))
      assert.deepStrictEqual(yield* outcomes(runs), ["RunTimedOut", "RunnerLost", "RunnerLost"])
      assert.strictEqual(yield* outcome(quick.run([{ x: floats(2) }], ["y"])), "2")
    }).pipe(Effect.scoped, Effect.provide(OnnxRuntime.layerProcess({ runners: 1 }))),
  )

  it.live("keeps nobody waiting who has another instance, and is dropped when its model is unloaded", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const slow = yield* loadBytes(endless).pipe(Scope.provide(scope))
      const quick = yield* loadBytes(identity)
      const lost = yield* Effect.forkChild(outcome(slow.run([{ x: floats(1) }], ["y"])))
      // Some are staged behind it before it is known to take long.
      const runs = [1, 2, 3, 4, 5, 6, 7, 8].map((value) => quick.run([{ x: floats(value) }], ["y"]))
      assert.deepStrictEqual(yield* outcomes(runs), ["1", "2", "3", "4", "5", "6", "7", "8"])
      // Its model may not take the last runner as well, on which others depend.
      const second = outcome(slow.run([{ x: floats(2) }], ["y"]))
      const waiting = yield* Effect.forkChild(second)
      for (let count = 0; count < 5; count++) {
        assert.strictEqual(yield* outcome(quick.run([{ x: floats(count) }], ["y"])), String(count))
      }
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* Effect.forEach([lost, waiting], (fiber) => Fiber.join(fiber)), [
        "RunnerLost",
        "RunnerLost",
      ])
    }).pipe(Effect.scoped, Effect.provide(OnnxRuntime.layerProcess({ runners: 2 }))),
  )
})

describe("a run that needs too much memory", () => {
  it.live("is ended and says so, and its runner is replaced", () =>
    Effect.gen(function* () {
      const eater = yield* loadBytes(onnx.huge([1_000_000_000n]))
      const other = yield* loadBytes(identity)
      const [pid] = runnersOf(process.pid)
      const eaten = eater.run([{ x: floats(1) }], ["y"])
      const staged = other.run([{ x: floats(1) }], ["y"])
      const staging = yield* Effect.forkChild(outcome(staged))
      const { reason } = runtimeError(yield* Effect.flip(run(() => eaten)))
      assert.strictEqual(reason._tag, "RunFailed")
      assert.match(reason.message, /it needed more memory than a runner may use \(600 MiB\)/)
      assert.strictEqual(yield* Fiber.join(staging), "RunnerLost")
      assert.strictEqual(yield* outcome(other.run([{ x: floats(3) }], ["y"])), "3")
      assert.notInclude(runnersOf(process.pid), pid)
    }).pipe(
      Effect.scoped,
      Effect.provide(OnnxRuntime.layerProcess({ runners: 1, runnerMemoryBytes: 600 * 1024 * 1024 })),
    ),
  )
})

describe("a tensor of 100 MB", () => {
  const count = 25_000_000

  it.live("lets small runs of others go ahead, on its way in and on its way out", () =>
    Effect.gen(function* () {
      const small = yield* loadBytes(identity)
      const order: Array<string> = []
      const note = (name: string, model: LoadedModel, x: ReturnType<typeof floats>) =>
        model.run([{ x }], ["y"]).then((result) => {
          order.push(name)
          return result
        })
      const taker = yield* loadBytes(
        onnx.model({
          nodes: [onnx.node("ReduceMax", ["x"], ["y"], { attributes: [onnx.attributeInt("keepdims", 0)] })],
          inputs: [onnx.value("x", onnx.elementType.FP32, ["n"])],
          outputs: [onnx.value("y", onnx.elementType.FP32, [])],
        }),
      )
      const data = new Float32Array(count)
      data[count - 1] = 7
      const large = note("large in", taker, { datatype: "FP32", shape: [count], data })
      for (let index = 0; index < 5; index++) yield* Effect.promise(() => note("small", small, floats(1)))
      assert.deepStrictEqual((yield* Effect.promise(() => large)).outputs["y"]?.data, Float32Array.of(7))

      const giver = yield* loadBytes(
        onnx.model({
          nodes: [
            onnx.node("Shape", ["x"], ["s"]),
            onnx.node("Mul", ["s", "many"], ["big"]),
            onnx.node("ConstantOfShape", ["big"], ["y"]),
          ],
          initializers: [onnx.int64s("many", [1], [BigInt(count)])],
          inputs: [onnx.value("x", onnx.elementType.FP32, ["n"])],
          outputs: [onnx.value("y", onnx.elementType.FP32, ["m"])],
        }),
      )
      const given = note("large out", giver, floats(1))
      yield* Effect.promise(() => note("small", small, floats(1)))
      assert.lengthOf((yield* Effect.promise(() => given)).outputs["y"]?.data ?? [], count)
      assert.deepStrictEqual(order, [
        ...Array.from({ length: 5 }, () => "small"),
        "large in",
        "small",
        "large out",
      ])
    }).pipe(Effect.scoped, Effect.provide(OnnxRuntime.layerProcess({ runners: 1 }))),
  )
})

describe("runs of all kinds at once", () => {
  it.live("give exactly what each gives alone", () =>
    Effect.gen(function* () {
      const models = yield* Effect.forEach([1, 2, 3], (factor) =>
        loadPlaced(
          onnx.model({
            nodes: [onnx.node("Mul", ["x", "f"], ["y"])],
            initializers: [onnx.int64s("f", [1], [BigInt(factor)])],
            inputs: [onnx.value("x", onnx.elementType.INT64, ["n", "m"])],
            outputs: [onnx.value("y", onnx.elementType.INT64, ["n", "m"])],
          }),
          { instances: factor === 1 ? 1 : 2 },
        ),
      )
      const { int } = random(7)
      let left = 400
      const once = async () => {
        const factor = 1 + int(3)
        const width = [1, 3, 700][int(3)] ?? 1
        const first = int(1_000_000)
        const sizes = Array.from({ length: 1 + int(4) }, () => int(60) * width)
        const members = sizes.map((size, index) => ({
          x: {
            datatype: "INT64",
            shape: [size / width, width],
            data: BigInt64Array.from({ length: size }, (_, at) => BigInt(first * (index + 1) + at)),
          } as const,
        }))
        const result = await models[factor - 1]?.run(members, ["y"])
        const expected = members.flatMap(({ x }) => Array.from(x.data, (value) => value * BigInt(factor)))
        const y = result?.outputs["y"]
        assert.deepStrictEqual(y?.shape, [expected.length / width, width])
        assert.isTrue(expected.every((value, at) => y?.data[at] === value))
      }
      const caller = async () => {
        while (left-- > 0) await once()
      }
      yield* Effect.promise(() => Promise.all(Array.from({ length: 12 }, caller)))
    }).pipe(Effect.scoped, Effect.provide(OnnxRuntime.layerProcess({ runners: 2 }))),
  )
})
