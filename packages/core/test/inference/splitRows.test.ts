import { assert, describe, it } from "@effect/vitest"
import { isSplittable, splitRows } from "../../src/inference/splitRows.ts"
import type { Tensors } from "../../src/model/Tensor.ts"

const words = ["a", "bc", "def"].map((word) => new TextEncoder().encode(word))
const joined = Float32Array.of(1, 2, 3, 4, 5, 6)
const outputs: Tensors = {
  y: { datatype: "FP32", shape: [3, 2], data: joined },
  z: { datatype: "INT64", shape: [3], data: BigInt64Array.of(7n, 8n, 9n) },
  w: { datatype: "BYTES", shape: [3, 1], data: words },
  e: { datatype: "UINT8", shape: [3, 0], data: new Uint8Array(0) },
}

describe("splitRows", () => {
  it("gives the rows asked for, of the outputs asked for, in their order", () => {
    const own = splitRows(outputs, ["z", "w", "y", "e"], 1, 3)
    assert.deepStrictEqual(Object.keys(own), ["z", "w", "y", "e"])
    assert.deepStrictEqual(own, {
      z: { datatype: "INT64", shape: [2], data: BigInt64Array.of(8n, 9n) },
      w: { datatype: "BYTES", shape: [2, 1], data: words.slice(1) },
      y: { datatype: "FP32", shape: [2, 2], data: Float32Array.of(3, 4, 5, 6) },
      e: { datatype: "UINT8", shape: [2, 0], data: new Uint8Array(0) },
    })
  })

  it("copies no element", () => {
    const { y } = splitRows(outputs, ["y"], 2, 3)
    assert.isTrue(y?.datatype === "FP32" && y.data.buffer === joined.buffer)
    const { w } = splitRows(outputs, ["w"], 2, 3)
    assert.strictEqual(w?.data[0], words[2])
  })

  it("gives no rows of none, and nothing for outputs that are not there", () => {
    assert.deepStrictEqual(splitRows(outputs, ["z", "x"], 1, 1), {
      z: { datatype: "INT64", shape: [0], data: new BigInt64Array(0) },
    })
  })
})

it("splittable is what has one row for each row that went in", () => {
  assert.isTrue(isSplittable(outputs, 3))
  assert.isFalse(isSplittable(outputs, 2))
  assert.isFalse(isSplittable({ s: { datatype: "INT8", shape: [], data: Int8Array.of(1) } }, 1))
})
