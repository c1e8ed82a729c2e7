import { assert, it } from "@effect/vitest"
import type { Tensor } from "../../src/model/Tensor.ts"
import { toFP16 } from "../../src/tensors/halfFloat.ts"
import { copyTensors, tensorBytes } from "../../src/traffic/copyTensors.ts"
import { outputDifference } from "../../src/traffic/outputDifference.ts"

const floats = (...values: ReadonlyArray<number>): Tensor => ({
  datatype: "FP32",
  shape: [values.length],
  data: Float32Array.from(values),
})
const integers = (...values: ReadonlyArray<bigint>): Tensor => ({
  datatype: "INT64",
  shape: [values.length],
  data: BigInt64Array.from(values),
})
const bytes = (...values: ReadonlyArray<string>): Tensor => ({
  datatype: "BYTES",
  shape: [values.length],
  data: values.map((value) => new TextEncoder().encode(value)),
})
const halves = (...values: ReadonlyArray<number>): Tensor => ({
  datatype: "FP16",
  shape: [values.length],
  data: Uint16Array.from(values.map(toFP16)),
})

it("floats differ by the largest distance of any two, over all outputs", () => {
  assert.deepStrictEqual(
    outputDifference({ y: floats(1, 2), z: halves(4, 1) }, { y: floats(1.5, 1.75), z: halves(2, 1) }),
    { difference: 2, unequal: undefined },
  )
  const same = { y: floats(Number.NaN, Number.POSITIVE_INFINITY, 0) }
  assert.deepStrictEqual(outputDifference(same, same), { difference: 0, unequal: undefined })
})

it("other elements differ by the share that is not equal", () => {
  assert.deepStrictEqual(
    outputDifference(
      { a: integers(1n, 2n), b: bytes("x", "y") },
      { a: integers(1n, 3n), b: bytes("x", "y") },
    ),
    { difference: undefined, unequal: 0.25 },
  )
  assert.deepStrictEqual(outputDifference({ b: bytes("x", "yy") }, { b: bytes("z", "y") }), {
    difference: undefined,
    unequal: 1,
  })
})

it("only outputs of the same name are compared", () => {
  assert.deepStrictEqual(
    outputDifference({ y: floats(1), more: floats(9) }, { y: floats(1), z: floats(0) }),
    {
      difference: 0,
      unequal: undefined,
    },
  )
  assert.isUndefined(outputDifference({ y: floats(1) }, { z: floats(1) }))
  assert.isUndefined(outputDifference({ constructor: floats(1) }, {}))
})

it("what no number tells apart is unlike", () => {
  assert.isUndefined(outputDifference({ y: floats(1) }, { y: floats(Number.NaN) }))
  assert.isUndefined(outputDifference({ y: floats(1) }, { y: floats(Number.NEGATIVE_INFINITY) }))
  assert.isUndefined(outputDifference({ y: floats(1) }, { y: floats(1, 2) }))
  assert.isUndefined(outputDifference({ y: floats(1) }, { y: halves(1) }))
  assert.isUndefined(
    outputDifference({ y: floats(1, 2) }, { y: { ...floats(1, 2), shape: [1, 2] } as Tensor }),
  )
})

it("copies hold when their originals change, and their bytes are those of the elements", () => {
  const data = Float32Array.of(1, 2)
  const text = new TextEncoder().encode("abc")
  const original = {
    x: { datatype: "FP32", shape: [2], data },
    t: { datatype: "BYTES", shape: [1], data: [text] },
  } as const
  assert.strictEqual(tensorBytes(original), 11)
  const copies = copyTensors(original)
  assert.deepStrictEqual(copies, original)
  data[0] = 9
  text[0] = 0
  assert.deepStrictEqual(copies, { x: floats(1, 2), t: bytes("abc") })
})
