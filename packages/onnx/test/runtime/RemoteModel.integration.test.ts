import { readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { ModelRuntime } from "@modelforge/core"
import { OnnxRuntime } from "@modelforge/onnx"
import { Effect, Exit, Scope } from "effect"
import * as onnx from "../onnxFile.ts"
import { runnersOf } from "../processes.ts"
import { floats, loadBytes, modelFile, run, runtimeError, suite } from "./runtimeSuite.ts"

suite("OnnxRuntime.layerProcess", OnnxRuntime.layerProcess())

const children = () => runnersOf(process.pid)

const theRunner = (): number => {
  const [pid, ...others] = children()
  assert.isDefined(pid)
  assert.lengthOf(others, 0)
  return pid
}

const ones = { x: floats(1, 1) }

/** A model with weights of so many MiB. */
const weights = (mebibytes: number) => {
  const shape = [1024, mebibytes * 256]
  return onnx.model({
    nodes: [onnx.node("MatMul", ["x", "w"], ["y"])],
    initializers: [
      onnx.tensor("w", onnx.elementType.FP32, shape, onnx.rawData(new Uint8Array(mebibytes * 2 ** 20))),
    ],
    inputs: [onnx.value("x", onnx.elementType.FP32, [1024])],
    outputs: [onnx.value("y", onnx.elementType.FP32, [mebibytes * 256])],
  })
}

describe("OnnxRuntime.layerProcess, supervised", () => {
  it.live("loses what runs when its process is killed, and works again", () =>
    Effect.gen(function* () {
      const busy = yield* loadBytes(onnx.loop(1_000_000_000n))
      const other = yield* loadBytes(onnx.identity(onnx.elementType.FP32))
      const running = [busy, other, other].map((model) => run(() => model.run([ones], ["y"])))
      const first = theRunner()
      const lost = Effect.forEach(running, Effect.flip, { concurrency: "unbounded" })
      const kill = Effect.sync(() => process.kill(first, "SIGKILL")).pipe(Effect.delay("100 millis"))
      const [errors] = yield* Effect.all([lost, kill], { concurrency: "unbounded" })
      for (const error of errors) {
        const { reason } = runtimeError(error)
        assert.strictEqual(reason._tag, "RunnerLost")
        assert.match(reason.message, /SIGKILL/)
      }
      const again = yield* Effect.forEach([1, 2, 3], () => run(() => other.run([ones], ["y"])), {
        concurrency: "unbounded",
      })
      for (const { outputs } of again) assert.deepStrictEqual(outputs["y"]?.data, Float32Array.of(1, 1))
      assert.notStrictEqual(theRunner(), first)
    }).pipe(Effect.scoped, Effect.provide(OnnxRuntime.layerProcess({ runners: 1 }))),
  )

  it.live("survives its process being killed again and again", () =>
    Effect.gen(function* () {
      const model = yield* loadBytes(onnx.identity(onnx.elementType.FP32))
      for (let round = 0; round < 4; round++) {
        process.kill(theRunner(), "SIGKILL")
        // Either the run was sent to the process that dies, or it waits for the next one.
        yield* run(() => model.run([ones], ["y"])).pipe(Effect.retry({ times: 3 }))
      }
    }).pipe(
      Effect.scoped,
      Effect.provide(OnnxRuntime.layerProcess({ runners: 1, quarantine: { crashes: 5 } })),
    ),
  )

  it.live("refuses inputs that are too large to be sent, and goes on", () =>
    Effect.gen(function* () {
      const model = yield* loadBytes(onnx.identity(onnx.elementType.UINT8))
      // Never touched, so it takes no memory.
      const data = new Uint8Array(2 ** 31)
      const big = { x: { datatype: "UINT8", shape: [data.length], data } } as const
      const { reason } = runtimeError(yield* Effect.flip(run(() => model.run([big], ["y"]))))
      assert.strictEqual(reason._tag, "RunFailed")
      const small = { x: { datatype: "UINT8", shape: [1], data: Uint8Array.of(7) } } as const
      yield* run(() => model.run([small], ["y"]))
    }).pipe(Effect.scoped, Effect.provide(OnnxRuntime.layerProcess({ runners: 1 }))),
  )

  it.live("gives its process an environment of nothing but what it is told", () =>
    Effect.gen(function* () {
      yield* loadBytes(onnx.identity(onnx.elementType.FP32))
      const environment = readFileSync(`/proc/${theRunner()}/environ`, "utf8").split("\0").filter(Boolean)
      assert.sameMembers(environment, ["TZ=UTC", "ORT_DISABLE_TELEMETRY=1", "MALLOC_MMAP_THRESHOLD_=1048576"])
    }).pipe(
      Effect.scoped,
      Effect.provide(OnnxRuntime.layerProcess({ runners: 1, environment: { TZ: "UTC" } })),
    ),
  )

  it.live("keeps its process while models come and go, and tells what each takes", () =>
    Effect.gen(function* () {
      const { load } = yield* ModelRuntime
      const mebibytes = 8
      const file = yield* modelFile(weights(mebibytes))
      yield* Effect.scoped(load(file))
      const first = theRunner()
      const fitting = 8
      const scopes: Array<Scope.Closeable> = []
      for (let round = 0; round < 40; round++) {
        const oldest = scopes.length < fitting ? undefined : scopes.shift()
        if (oldest !== undefined) yield* Scope.close(oldest, Exit.void)
        const scope = yield* Scope.fork(yield* Effect.scope)
        scopes.push(scope)
        const model = yield* Scope.provide(load(file), scope)
        yield* run(() => model.run([{ x: floats(...new Array<number>(1024).fill(1)) }], ["y"]))
        const bytes = yield* Effect.promise(model.memoryBytes)
        assert.isAtLeast(bytes / 2 ** 20, mebibytes)
        assert.isAtMost(bytes / 2 ** 20, 3 * mebibytes)
      }
      assert.strictEqual(theRunner(), first)
    }).pipe(Effect.scoped, Effect.provide(OnnxRuntime.layerProcess({ runners: 1 }))),
  )

  it.live("starts no process before a model is loaded, and leaves none behind", () =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        const { load } = yield* ModelRuntime
        assert.deepStrictEqual(children(), [])
        const busy = yield* load(yield* modelFile(onnx.loop(3_000_000n)))
        theRunner()
        yield* Effect.forkScoped(run(() => busy.run([ones], ["y"])))
      }).pipe(Effect.scoped, Effect.provide(OnnxRuntime.layerProcess({ runners: 1 })))
      assert.deepStrictEqual(children(), [])
    }),
  )

  it.live("gives no model when no process can be started", () =>
    Effect.gen(function* () {
      const error = runtimeError(yield* Effect.flip(loadBytes(onnx.identity(onnx.elementType.FP32))))
      assert.strictEqual(error.reason._tag, "RunnerUnavailable")
      assert.match(error.message, /while it started: exited with code 1/)
      assert.notInclude(error.message, "nowhere")
    }).pipe(
      Effect.scoped,
      Effect.provide(OnnxRuntime.layerProcess({ runners: 1, entry: new URL("file:///nowhere/runner.js") })),
    ),
  )

  it.live("keeps a model that turns bad from taking its neighbours along for ever", () =>
    Effect.gen(function* () {
      const good = yield* loadBytes(onnx.identity(onnx.elementType.FP32))
      const file = yield* modelFile(onnx.identity(onnx.elementType.FP32))
      const bad = yield* (yield* ModelRuntime).load(file)
      writeFileSync(file, "crash")
      process.kill(theRunner(), "SIGKILL")
      yield* Effect.flip(run(() => bad.run([ones], ["y"])))
      const second = runtimeError(yield* Effect.flip(run(() => bad.run([ones], ["y"]))))
      assert.match(second.message, /it crashed the runtime 3 times .*; upload a fixed version/)
      yield* run(() => good.run([ones], ["y"]))
      const runner = theRunner()
      // Not even tried again.
      assert.strictEqual(yield* Effect.flip(run(() => bad.run([ones], ["y"]))), second)
      assert.strictEqual(theRunner(), runner)
    }).pipe(
      Effect.scoped,
      Effect.provide(
        OnnxRuntime.layerProcess({ runners: 1, entry: new URL("./crashingRunner.ts", import.meta.url) }),
      ),
    ),
  )

  it.live("fails the load of a model that crashes its process, and keeps the others", () =>
    Effect.gen(function* () {
      const good = yield* loadBytes(onnx.identity(onnx.elementType.FP32))
      yield* run(() => good.run([ones], ["y"]))
      const error = runtimeError(yield* Effect.flip(loadBytes(Buffer.from("crash"))))
      assert.strictEqual(error.reason._tag, "LoadFailed")
      assert.match(error.message, /loading it crashed the runtime \(signal SIGABRT\)/)
      yield* run(() => good.run([ones], ["y"]))
    }).pipe(
      Effect.scoped,
      Effect.provide(
        OnnxRuntime.layerProcess({ runners: 1, entry: new URL("./crashingRunner.ts", import.meta.url) }),
      ),
    ),
  )
})
