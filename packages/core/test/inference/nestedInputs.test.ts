import { assert, it } from "@effect/vitest"
import { Result } from "effect"
import { nestedInputs } from "../../src/inference/nestedInputs.ts"
import { ModelName } from "../../src/model/Names.ts"
import type { Tensor } from "../../src/model/Tensor.ts"
import { VersionNumber } from "../../src/model/Version.ts"
import type { Route } from "../../src/registry/Route.ts"
import { digestOf } from "../fakes.ts"

const route: Route = {
  id: "digits/1",
  size: 1,
  config: {},
  model: ModelName.make("digits"),
  version: VersionNumber.make(1),
  digest: digestOf("model"),
  signature: {
    inputs: [
      { name: "x", datatype: "FP32", shape: ["batch", 2] },
      { name: "threshold", datatype: "FP64", shape: [] },
      { name: "__proto__", datatype: "BYTES", shape: [-1] },
    ],
    outputs: [],
  },
  outputNames: [],
}

const refusal = (inputs: Readonly<Record<string, unknown>>, accept?: { readonly tensors: boolean }) =>
  Result.getOrThrow(Result.flip(nestedInputs(route, inputs, accept))).message

it("gives each value the datatype of its input and the shape of its nesting", () => {
  const inputs = JSON.parse('{"x": [[1, 2], [3, 4]], "threshold": 0.5, "__proto__": ["a"]}')
  const tensors = Result.getOrThrow(nestedInputs(route, inputs))
  assert.deepStrictEqual(Object.entries(tensors), [
    ["x", { datatype: "FP32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
    ["threshold", { datatype: "FP64", shape: [], data: Float64Array.of(0.5) }],
    ["__proto__", { datatype: "BYTES", shape: [1], data: [new TextEncoder().encode("a")] }],
  ])
})

it("names every value that is none, by its place", () => {
  assert.strictEqual(
    refusal({ threshold: "high", x: [[1, 2], [3]] }),
    'The request does not fit the signature of model "digits": ' +
      'inputs.threshold: expected a number for FP64, got the string "high"; ' +
      "inputs.x[1]: the nesting is ragged: expected an array of 2, got one of 1",
  )
})

it("leaves inputs that the model does not take to the check that sees them all", () => {
  const tensors = Result.getOrThrow(nestedInputs(route, { x: [[1, 2]], y: { any: "thing" } }))
  assert.deepStrictEqual(Object.keys(tensors), ["x", "y"])
})

it("takes tensors as they are, where the host says so and only there", () => {
  const tensor: Tensor = { datatype: "FP32", shape: [1, 2], data: Float32Array.of(1, 2) }
  const taken = Result.getOrThrow(nestedInputs(route, { x: tensor, threshold: 1 }, { tensors: true }))
  assert.strictEqual(taken["x"], tensor)
  assert.match(refusal({ x: tensor }), /inputs\.x: expected a number for FP32, got an object$/)
  for (const value of [null, { datatype: "FP32" }, "FP32"])
    assert.match(refusal({ x: value }, { tensors: true }), /inputs\.x: expected a number for FP32/)
})
