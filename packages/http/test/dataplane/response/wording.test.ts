import { assert, describe, it } from "@effect/vitest"
import { checkInputs, InferenceError, InvalidInputs, RunFailed, type Tensor } from "@modelforge/core"
import { worded } from "../../../src/dataplane/response/wording.ts"
import { routeTo } from "../FakeInference.ts"

const route = routeTo({
  inputs: [
    { name: "x", datatype: "FP32", shape: ["batch", 2] },
    { name: "z", datatype: "INT32", shape: [1] },
  ],
  outputs: [{ name: "y", datatype: "FP32", shape: ["batch", 2] }],
})

const x: Tensor = { datatype: "FP32", shape: [1, 2], data: Float32Array.of(1, 2) }
const z: Tensor = { datatype: "INT32", shape: [1], data: Int32Array.of(1) }

const words = (inputs: Readonly<Record<string, Tensor>>, outputs: ReadonlyArray<string> = []) => {
  const [issue, ...more] = checkInputs(route.signature, inputs, outputs)
  const issues = [issue ?? assert.fail("it fits"), ...more] as const
  const error = new InferenceError({ reason: new InvalidInputs({ model: "digits", issues }) })
  const told = worded(error, route, { inputs, outputs })
  assert.instanceOf(told, Error)
  return told instanceof Error ? told.message : ""
}

describe("a request that does not fit is told in words that Triton's clients know", () => {
  it("and in ours, which say what was expected", () => {
    for (const [inputs, outputs, begins] of [
      [{ x }, [], "expected 2 inputs but got 1 inputs for model 'digits'. "],
      [{ x, z, a: z }, [], "expected 2 inputs but got 3 inputs for model 'digits'. "],
      [{ x, a: z }, [], "unexpected inference input 'a' for model 'digits'. "],
      [{ x: z, z }, [], "inference input 'x' data-type is 'INT32', but model 'digits' expects 'FP32'. "],
      [{ x: { ...x, shape: [2] }, z }, [], "unexpected shape for input 'x' for model 'digits'. "],
      [{ x, z: { ...z, shape: [1, 1] } }, [], "unexpected shape for input 'z' for model 'digits'. "],
      [{ x, z }, ["y", "q"], "unexpected inference output 'q' for model 'digits'. "],
    ] as const) {
      const told = words(inputs, outputs)
      assert.isTrue(
        told.startsWith(`${begins}The request does not fit the signature of model "digits": `),
        told,
      )
    }
  })

  it("only in ours, where Triton has none", () => {
    assert.match(words({ x, z }, ["y", "y"]), /^The request does not fit .* asked for twice$/)
  })

  it("in few of them, however long a name is", () => {
    assert.isBelow(words({ x, ["a".repeat(100_000)]: z }).length, 1000)
  })

  it("and other failures stay what they are", () => {
    const others = [new InferenceError({ reason: new RunFailed({ detail: "no" }) }), new Error("else")]
    for (const error of others)
      assert.strictEqual(worded(error, route, { inputs: { x }, outputs: [] }), error)
  })
})
