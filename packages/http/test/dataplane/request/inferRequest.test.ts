import { assert, describe, it } from "@effect/vitest"
import { Datatype } from "@modelforge/core"
import { noBinary } from "../../../src/dataplane/request/binarySection.ts"
import { readInfer as readMembers } from "../../../src/dataplane/request/inferRequest.ts"
import { refusal } from "../refusal.ts"

const input = (fields: Readonly<Record<string, unknown>> = {}) => ({
  name: "x",
  datatype: "INT32",
  shape: [2],
  data: [1, 2],
  ...fields,
})
const withInput = (fields: Readonly<Record<string, unknown>>) => ({ inputs: [input(fields)] })
const readInfer = (body: unknown) => readMembers(body, noBinary)
const refused = (body: unknown) => refusal(() => readInfer(body))
const without = (member: string) => {
  const { [member]: _, ...rest } = input() as Record<string, unknown>
  return { inputs: [rest] }
}

describe("readInfer", () => {
  it("refuses more tensors than any model has", () => {
    const many = Array.from({ length: 1025 }, (_, index) => input({ name: `n${index}` }))
    for (const [member, body] of [
      ["inputs", { inputs: many }],
      ["outputs", { inputs: [], outputs: many.map(({ name }) => ({ name })) }],
    ] as const) {
      assert.strictEqual(refused(body).path, member)
      assert.include(refused(body).message, "has 1025 of them, more than the 1024")
    }
  })

  it("reads tensors, flat or nested", () => {
    for (const data of [
      [1, 2, 3, 4],
      [
        [1, 2],
        [3, 4],
      ],
    ])
      assert.deepStrictEqual(readInfer(withInput({ shape: [2, 2], data })).inputs["x"], {
        datatype: "INT32",
        shape: [2, 2],
        data: Int32Array.of(1, 2, 3, 4),
      })
    assert.deepStrictEqual(readInfer(withInput({ shape: [], data: [7] })).inputs["x"]?.shape, [])
    assert.deepStrictEqual(readInfer(withInput({ shape: [0, 3], data: [] })).inputs["x"]?.shape, [0, 3])
  })

  it("reads every datatype", () => {
    for (const datatype of Datatype.literals) {
      const data = datatype === "BOOL" ? [true, false] : datatype === "BYTES" ? ["a", ""] : [1, 2]
      assert.strictEqual(readInfer(withInput({ datatype, data })).inputs["x"]?.datatype, datatype)
    }
    assert.deepStrictEqual(
      readInfer(withInput({ datatype: "UINT64", data: [0, 2n ** 64n - 1n] })).inputs["x"]?.data,
      BigUint64Array.of(0n, 2n ** 64n - 1n),
    )
  })

  it("gives the id and the outputs asked for, and passes over what it does not know", () => {
    const body = {
      id: "a",
      model_name: "m",
      parameters: { priority: 1 },
      inputs: [input({ parameters: { a: 1 }, extra: 1 })],
      outputs: [{ name: "y", parameters: { binary_data: false } }, { name: "z" }],
    }
    const { id, outputs, inputs } = readInfer(body)
    assert.deepStrictEqual([id, outputs, Object.keys(inputs)], ["a", ["y", "z"], ["x"]])
  })

  it("takes null for absent, and an empty id too", () => {
    const body = { id: null, outputs: null, parameters: null, inputs: [input({ parameters: null })] }
    const { id, outputs } = readInfer(body)
    assert.deepStrictEqual([id, outputs], [undefined, []])
    assert.isUndefined(readInfer({ ...body, id: "" }).id)
  })

  it("keeps inputs of any name apart from what objects have", () => {
    const names = ["__proto__", "constructor", "toString", ""]
    const { inputs } = readInfer({ inputs: names.map((name) => input({ name })) })
    assert.deepStrictEqual(Object.keys(inputs), names)
  })

  it("names the member that is wrong, what was expected and what came", () => {
    for (const [body, path, message] of [
      [null, "body", 'expected an object with the member "inputs", got null'],
      [[], "body", "got an array of 0"],
      ["x", "body", 'got the string "x"'],
      [{ inputs: [], id: 1 }, "id", "expected a string, got 1"],
      [{}, "inputs", "expected an array of input tensors, got undefined"],
      [{ inputs: {} }, "inputs", "got an object"],
      [{ inputs: null }, "inputs", "got null"],
      [{ inputs: [input(), 3] }, "inputs[1]", "expected an object, got 3"],
      [{ inputs: [[]] }, "inputs[0]", "got an array of 0"],
      [without("name"), "inputs[0].name", "expected a string, got undefined"],
      [withInput({ name: 1 }), "inputs[0].name", "got 1"],
      [without("datatype"), "inputs.x.datatype", "expected one of BOOL, UINT8"],
      [withInput({ datatype: "FLOAT" }), "inputs.x.datatype", 'got the string "FLOAT"'],
      [withInput({ datatype: "int32" }), "inputs.x.datatype", 'got the string "int32"'],
      [without("shape"), "inputs.x.shape", "expected an array of sizes, got undefined"],
      [withInput({ shape: 2 }), "inputs.x.shape", "got 2"],
      [withInput({ shape: [2, -1] }), "inputs.x.shape[1]", "expected a size, an integer from 0, got -1"],
      [withInput({ shape: [1.5] }), "inputs.x.shape[0]", "got 1.5"],
      [withInput({ shape: ["2"] }), "inputs.x.shape[0]", 'got the string "2"'],
      [withInput({ shape: [2n ** 60n] }), "inputs.x.shape[0]", "got 1152921504606846976"],
      [withInput({ shape: [1e300] }), "inputs.x.shape[0]", "got 1e+300"],
      [withInput({ shape: [Number.NaN] }), "inputs.x.shape[0]", "got NaN"],
      [withInput({ shape: [[2]] }), "inputs.x.shape[0]", "got an array of 1"],
      [withInput({ shape: Array(40).fill(1), data: [1] }), "inputs.x.shape", "40 dimensions"],
      [without("data"), "inputs.x.data", "expected an array of elements, got undefined"],
      [withInput({ data: null }), "inputs.x.data", "got null"],
      [withInput({ data: 1 }), "inputs.x.data", "got 1"],
      [withInput({ data: [1] }), "inputs.x.data", "1, but the shape [2] holds 2"],
      [withInput({ data: [1, 2, 3] }), "inputs.x.data", "3, but the shape [2] holds 2"],
      [
        withInput({ data: [1, "2"] }),
        "inputs.x.data[1]",
        'expected an integer for INT32, got the string "2"',
      ],
      [withInput({ data: [1, 2.5] }), "inputs.x.data[1]", "got 2.5"],
      [withInput({ data: [1, 2 ** 31] }), "inputs.x.data[1]", "out of the range of INT32"],
      [withInput({ data: [1, Number.NaN] }), "inputs.x.data[1]", "got NaN"],
      [withInput({ data: [1, null] }), "inputs.x.data[1]", "got null"],
      [withInput({ data: [true, 1] }), "inputs.x.data[0]", "got true"],
      [withInput({ shape: [2, 2], data: [[1, 2], [3]] }), "inputs.x.data[1]", "ragged"],
      [withInput({ datatype: "FP32", data: [1, "NaN"] }), "inputs.x.data[1]", "expected a number for FP32"],
      [withInput({ datatype: "FP32", data: [1, 1e39] }), "inputs.x.data[1]", "out of the range of FP32"],
      [withInput({ datatype: "BOOL", data: [0, 1] }), "inputs.x.data[0]", "expected true or false"],
      [withInput({ datatype: "BYTES", data: [1, 2] }), "inputs.x.data[0]", "expected a string for BYTES"],
      [withInput({ datatype: "UINT8", data: [1, -1] }), "inputs.x.data[1]", "out of the range of UINT8"],
      [
        withInput({ datatype: "UINT64", data: [1, 2n ** 64n] }),
        "inputs.x.data[1]",
        "out of the range of UINT64",
      ],
      [withInput({ datatype: "INT64", data: [1, 1e20] }), "inputs.x.data[1]", "not exact"],
      [withInput({ parameters: { binary_data_size: 8 } }), "inputs.x", "expected either data or"],
      [
        withInput({ data: null, parameters: { binary_data_size: 8 } }),
        "inputs.x",
        "Inference-Header-Content-Length",
      ],
      [{ inputs: [input(), input()] }, "inputs.x", 'input "x" already exists in request'],
      [{ inputs: [], outputs: {} }, "outputs", "expected an array of outputs, got an object"],
      [{ inputs: [], outputs: ["y"] }, "outputs[0].name", "expected a string, got undefined"],
      [{ inputs: [], outputs: [{ name: "y" }, { name: 1 }] }, "outputs[1].name", "got 1"],
    ] as const) {
      const problem = refused(body)
      assert.strictEqual(problem.type, "urn:modelforge:problem:bad-request")
      assert.strictEqual(problem.path, path)
      assert.include(problem.message, message)
    }
  })

  it("answers in a few words, however long what came is", () => {
    const long = "x".repeat(1_000_000)
    for (const body of [
      { inputs: [input({ name: long, datatype: 1 })] },
      { inputs: [input({ name: long }), input({ name: long })] },
      withInput({ datatype: long }),
      withInput({ shape: [long] }),
      withInput({ data: [long, 1] }),
      { inputs: [], id: [long] },
      { inputs: [], outputs: [{ name: [long] }] },
    ])
      assert.isBelow(refused(body).detail?.length ?? 0, 500)
  })

  it("spends nothing on a shape that promises what the data does not hold", () => {
    // Allocating any of these would fail or take the machine's memory.
    for (const shape of [[2 ** 40], [2 ** 52], [100_000, 100_000, 100_000], Array(32).fill(2 ** 52)]) {
      assert.include(refused(withInput({ shape })).message, "unexpected number of elements")
      if (shape.length > 1) assert.include(refused(withInput({ shape, data: [[1], [2]] })).message, "ragged")
    }
  })
})
