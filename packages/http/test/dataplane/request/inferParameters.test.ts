import { assert, describe, it } from "@effect/vitest"
import { UnsupportedFeatureProblem } from "@modelforge/api"
import {
  readBinarySize,
  readOutputForm,
  readParameters,
  readRequestParameters,
} from "../../../src/dataplane/request/inferParameters.ts"
import { refusal } from "../refusal.ts"

const unsupported = (read: () => unknown): string => {
  try {
    read()
  } catch (error) {
    if (error instanceof UnsupportedFeatureProblem) return error.message
    throw error
  }
  return assert.fail("it was taken")
}

describe("parameters", () => {
  it("are a flat map of strings, numbers and booleans, or absent", () => {
    const parameters = { a: "x", b: 1.5, c: false, d: 2n ** 60n }
    assert.strictEqual(readParameters(parameters, "parameters"), parameters)
    for (const absent of [undefined, null]) assert.isUndefined(readParameters(absent, "parameters"))
  })

  it("are refused when they are anything else", () => {
    for (const [value, path, message] of [
      [[], "p", "expected an object, got an array of 0"],
      ["x", "p", 'expected an object, got the string "x"'],
      [{ a: null }, "p.a", "expected a string, a number or a boolean, got null"],
      [{ a: 1, b: {} }, "p.b", "got an object"],
      [{ a: [1] }, "p.a", "got an array of 1"],
    ] as const) {
      const problem = refusal(() => readParameters(value, "p"))
      assert.strictEqual(problem.path, path)
      assert.include(problem.message, message)
    }
    const long = refusal(() => readParameters({ ["a".repeat(1_000_000)]: null }, "p"))
    assert.isBelow(long.detail?.length ?? 0, 300)
  })
})

describe("parameters of a request", () => {
  it("say whether outputs are answered as bytes", () => {
    assert.isTrue(readRequestParameters({ binary_data_output: true }).binaryOutput)
    for (const parameters of [{}, { binary_data_output: false }, { mine: 1, priority: 1, timeout: 5 }])
      assert.isFalse(readRequestParameters(parameters).binaryOutput)
    const odd = refusal(() => readRequestParameters({ binary_data_output: 1 }))
    assert.strictEqual(odd.path, "parameters.binary_data_output")
  })

  it("may not have names that servers keep for themselves", () => {
    for (const name of ["headers", "triton_", "triton_enable_empty_final_response"])
      assert.match(refusal(() => readRequestParameters({ [name]: "x" })).message, /this name is reserved/)
  })

  it("can't make it part of a sequence", () => {
    for (const parameters of [
      { sequence_id: 1 },
      { sequence_id: "a" },
      { sequence_start: true },
      { sequence_end: true },
    ])
      assert.match(
        unsupported(() => readRequestParameters(parameters)),
        /sequences are not supported/,
      )
    readRequestParameters({ sequence_id: 0, sequence_start: false, sequence_end: false })
  })
})

describe("parameters of an input", () => {
  it("say how many bytes it has behind the JSON", () => {
    assert.strictEqual(readBinarySize({ binary_data_size: 12 }, "p"), 12)
    assert.strictEqual(readBinarySize({ binary_data_size: 0 }, "p"), 0)
    assert.isUndefined(readBinarySize({ other: 1 }, "p"))
    for (const size of [-1, 1.5, Number.NaN, Infinity, "8", true, 2 ** 53])
      assert.match(
        refusal(() => readBinarySize({ binary_data_size: size }, "p")).message,
        /expected a number of bytes/,
      )
  })

  it("can't point into shared memory", () => {
    const parameters = { shared_memory_region: "r", shared_memory_byte_size: 4 }
    assert.match(
      unsupported(() => readBinarySize(parameters, "p")),
      /^p\.shared_memory_region: .* not supported/,
    )
    assert.match(
      unsupported(() => readOutputForm(parameters, "p")),
      /not supported/,
    )
  })
})

describe("parameters of an output", () => {
  it("say in which form it is answered", () => {
    assert.deepStrictEqual(readOutputForm({}, "p"), { binary: false, classes: undefined })
    assert.deepStrictEqual(readOutputForm({ binary_data: true, classification: 3 }, "p"), {
      binary: true,
      classes: 3,
    })
    assert.deepStrictEqual(readOutputForm({ binary_data: false }, "p"), { binary: false, classes: undefined })
    assert.strictEqual(refusal(() => readOutputForm({ binary_data: "yes" }, "p")).path, "p.binary_data")
    for (const count of [0, -1, 1025, 1.5, "3", true])
      assert.match(refusal(() => readOutputForm({ classification: count }, "p")).message, /1 to 1024/)
  })
})
