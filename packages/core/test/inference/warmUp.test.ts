import { assert, it } from "@effect/vitest"
import {
  type LoadedModel,
  RunFailed,
  RunnerLost,
  type RunResult,
  RunTimedOut,
  RuntimeError,
} from "../../src/inference/ModelRuntime.ts"
import { warmUp } from "../../src/inference/warmUp.ts"
import type { Signature } from "../../src/model/Signature.ts"
import type { Tensors } from "../../src/model/Tensor.ts"

const signature: Signature = {
  inputs: [{ name: "x", datatype: "FP32", shape: ["batch", 2] }],
  outputs: [
    { name: "y", datatype: "FP32", shape: ["batch"] },
    { name: "z", datatype: "FP32", shape: ["batch"] },
  ],
}

/** A model with so many instances, and what its runs were given. */
const modelOf = (instances: number, failure?: RuntimeError["reason"]) => {
  const runs: Array<{ readonly inputs: ReadonlyArray<Tensors>; readonly outputs: ReadonlyArray<string> }> = []
  let atOnce = 0
  let most = 0
  const run = async (inputs: ReadonlyArray<Tensors>, outputs: ReadonlyArray<string>): Promise<RunResult> => {
    runs.push({ inputs, outputs })
    most = Math.max(most, ++atOnce)
    await null
    atOnce--
    if (failure !== undefined) throw new RuntimeError({ reason: failure })
    return { outputs: {}, queueMs: 0, computeMs: 1 }
  }
  const model: LoadedModel = {
    instances,
    concurrency: 2 * instances,
    failure: undefined,
    run,
    memoryBytes: () => Promise.resolve(0),
  }
  return { model, runs, most: () => most }
}

const refusal = (promise: Promise<void>) =>
  promise.then(
    () => "none",
    (error: unknown) => (error instanceof RuntimeError ? error.message : String(error)),
  )

it("runs every instance once, side by side, on made-up inputs that fit, and asks for all outputs", async () => {
  const { model, runs, most } = modelOf(3)
  await warmUp(model, signature)
  assert.lengthOf(runs, 3)
  assert.strictEqual(most(), 3)
  for (const { inputs, outputs } of runs) {
    assert.deepStrictEqual(outputs, ["y", "z"])
    assert.deepStrictEqual(inputs[0]?.["x"]?.shape, [1, 2])
  }
})

it("runs as often as the operator says, with the operator's sample", async () => {
  const { model, runs } = modelOf(2)
  await warmUp(model, signature, {
    runs: 3,
    inputs: {
      x: [
        [1, 2],
        [3, 4],
      ],
    },
  })
  assert.lengthOf(runs, 6)
  assert.deepStrictEqual(runs[0]?.inputs[0]?.["x"], {
    datatype: "FP32",
    shape: [2, 2],
    data: Float32Array.of(1, 2, 3, 4),
  })
  const none = modelOf(2)
  await warmUp(none.model, signature, { runs: 0 })
  assert.lengthOf(none.runs, 0)
})

it("does not run a model whose inputs are too large to make up", async () => {
  const { model, runs } = modelOf(1)
  await warmUp(model, { ...signature, inputs: [{ name: "x", datatype: "FP32", shape: [2 ** 30] }] })
  assert.lengthOf(runs, 0)
})

it("forgives what made-up inputs may cause, and nothing else", async () => {
  for (const reason of [new RunFailed({ detail: "zeros" }), new RunTimedOut({ limitMs: 5 })])
    await warmUp(modelOf(1, reason).model, signature)
  const lost = modelOf(1, new RunnerLost({ detail: "crashed" }))
  assert.match(await refusal(warmUp(lost.model, signature)), /went away: crashed/)
})

it("fails on a sample that the model fails on, or that does not fit its signature", async () => {
  const sample = { inputs: { x: [[1, 2]] } }
  const failing = modelOf(1, new RunFailed({ detail: "negative" }))
  assert.strictEqual(
    await refusal(warmUp(failing.model, signature, sample)),
    "The model could not be loaded: its warm-up sample failed: The model failed on these inputs: negative",
  )
  const { model, runs } = modelOf(1)
  const says = (inputs: Readonly<Record<string, unknown>>) => refusal(warmUp(model, signature, { inputs }))
  assert.match(await says({ x: [[1, "two"]] }), /its warm-up sample does not fit: inputs\.x\[0\]\[1\]: /)
  assert.match(await says({ x: [[1, 2, 3]] }), /does not fit: inputs\.x: expected FP32 \[batch, 2\]/)
  assert.match(await says({}), /does not fit: inputs\.x: missing/)
  assert.match(await says({ x: [[1, 2]], y: 1 }), /does not fit: inputs\.y: unknown input/)
  assert.lengthOf(runs, 0)
})
