/** Loads the model named by its first argument in a runner; runs it when the second is `busy`. Says so, and stays. */
import { ModelRuntime } from "@modelforge/core"
import { OnnxRuntime } from "@modelforge/onnx"
import { Effect } from "effect"

const [file = "", mode] = process.argv.slice(2)

const main = Effect.gen(function* () {
  const { load } = yield* ModelRuntime
  const model = yield* load(file)
  const x = { datatype: "FP32", shape: [1], data: Float32Array.of(1) } as const
  if (mode === "busy") {
    void model.run([{ x }], ["y"]).catch(() => {})
    // Nothing tells when the runner has begun.
    yield* Effect.sleep("100 millis")
  }
  process.stdout.write("ready\n")
  return yield* Effect.never
}).pipe(Effect.scoped, Effect.provide(OnnxRuntime.layerProcess({ runners: 1 })))

await Effect.runPromise(main)
