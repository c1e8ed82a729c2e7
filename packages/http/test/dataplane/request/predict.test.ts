import { assert, describe, it } from "@effect/vitest"
import { readPredict } from "../../../src/dataplane/request/predict.ts"
import { refusal } from "../refusal.ts"

const many = Array.from({ length: 1025 }, (_, index) => `n${index}`)
const refused = (body: unknown) => refusal(() => readPredict(body))

describe("readPredict", () => {
  it("takes the members it knows and passes over others", () => {
    const inputs = { x: [1], y: "a" }
    assert.deepStrictEqual(
      readPredict({
        inputs,
        outputs: ["a", "b"],
        version: "canary",
        parameters: { timeout: 5000, priority: 2, other: "x" },
        z: {},
      }),
      {
        inputs,
        outputs: ["a", "b"],
        version: "canary",
        schedule: { timeoutMs: 5, priority: 2 },
      },
    )
    assert.deepStrictEqual(readPredict({ inputs: {}, version: 3 }), {
      inputs: {},
      outputs: [],
      version: "3",
      schedule: { priority: 100 },
    })
  })

  it("takes null for absent", () =>
    assert.deepStrictEqual(readPredict({ inputs: {}, outputs: null, version: null, parameters: null }), {
      inputs: {},
      outputs: [],
      version: undefined,
      schedule: { priority: 100 },
    }))

  it("names the member that is wrong, what was expected and what came", () => {
    for (const [body, path, message] of [
      [null, "body", 'expected an object with the member "inputs", got null'],
      ["text", "body", 'got the string "text"'],
      [7, "body", "got 7"],
      [[{ inputs: {} }], "body", "got an array of 1"],
      [{}, "inputs", "expected an object of input names and values, got undefined"],
      [{ inputs: null }, "inputs", "got null"],
      [{ inputs: [[1]] }, "inputs", "got an array of 1"],
      [{ inputs: "x" }, "inputs", 'got the string "x"'],
      [{ inputs: {}, outputs: "y" }, "outputs", 'expected an array of output names, got the string "y"'],
      [{ inputs: {}, outputs: ["y", 1] }, "outputs[1]", "expected an output's name, got 1"],
      [{ inputs: {}, outputs: [null] }, "outputs[0]", "expected an output's name, got null"],
      [{ inputs: {}, outputs: {} }, "outputs", "got an object"],
      [{ inputs: {}, outputs: many }, "outputs", "has 1025 of them, more than the 1024"],
      [{ inputs: Object.fromEntries(many.map((name) => [name, 1])) }, "inputs", "more than the 1024"],
      [{ inputs: {}, version: 1.5 }, "version", "expected a version number or an alias, got 1.5"],
      [{ inputs: {}, version: true }, "version", "got true"],
      [{ inputs: {}, version: [1] }, "version", "got an array of 1"],
    ] as const) {
      const problem = refused(body)
      assert.strictEqual(problem.type, "urn:modelforge:problem:invalid-request")
      assert.strictEqual(problem.path, path)
      assert.include(problem.message, message)
      assert.strictEqual(problem.detail, `${path}: ${problem.message}`)
    }
  })
})
