import { assert, describe, it } from "@effect/vitest"
import { outputsAgree } from "../../src/inference/outputsAgree.ts"
import type { Tensor } from "../../src/model/Tensor.ts"
import { toBF16, toFP16 } from "../../src/tensors/halfFloat.ts"

const agree = (a: Tensor, b: Tensor) => outputsAgree({ y: a }, { y: b }, ["y"])
const fp32 = (...data: ReadonlyArray<number>): Tensor => ({
  datatype: "FP32",
  shape: [data.length],
  data: Float32Array.from(data),
})
const int32 = (...data: ReadonlyArray<number>): Tensor => ({
  datatype: "INT32",
  shape: [data.length],
  data: Int32Array.from(data),
})
const words = (...data: ReadonlyArray<string>): Tensor => ({
  datatype: "BYTES",
  shape: [data.length],
  data: data.map((word) => new TextEncoder().encode(word)),
})

describe("floats", () => {
  it("agree but for what another order of additions makes", () => {
    assert.isTrue(agree(fp32(1.000001, -1000.001), fp32(1, -1000)))
    assert.isFalse(agree(fp32(1.0001), fp32(1)))
    assert.isTrue(agree(fp32(5e-7), fp32(0)))
    assert.isFalse(agree(fp32(1e-5), fp32(0)))
  })

  it("that are no numbers, or none that end, agree with their like only", () => {
    assert.isTrue(
      agree(fp32(Number.NaN, Number.POSITIVE_INFINITY), fp32(Number.NaN, Number.POSITIVE_INFINITY)),
    )
    assert.isFalse(agree(fp32(Number.NaN), fp32(1)))
    assert.isFalse(agree(fp32(1), fp32(Number.NaN)))
    assert.isFalse(agree(fp32(Number.POSITIVE_INFINITY), fp32(Number.NEGATIVE_INFINITY)))
  })

  it("of 16 bits are compared by what their bits stand for", () => {
    for (const [datatype, to, step] of [
      ["FP16", toFP16, 2 ** -10],
      ["BF16", toBF16, 2 ** -7],
    ] as const) {
      const of = (value: number): Tensor => ({ datatype, shape: [1], data: Uint16Array.of(to(value)) })
      assert.isTrue(agree(of(1 + step), of(1)))
      assert.isTrue(agree(of(-0), of(0)))
      assert.isFalse(agree(of(1 + 8 * step), of(1)))
    }
  })
})

describe("everything else", () => {
  it("is equal or wrong", () => {
    assert.isTrue(agree(int32(1, 2), int32(1, 2)))
    assert.isFalse(agree(int32(1_000_000_001), int32(1_000_000_000)))
    const int64 = (value: bigint): Tensor => ({ datatype: "INT64", shape: [], data: BigInt64Array.of(value) })
    assert.isTrue(agree(int64(7n), int64(7n)))
    assert.isFalse(agree(int64(7n), int64(8n)))
    assert.isTrue(agree(words("a", ""), words("a", "")))
    assert.isFalse(agree(words("a"), words("b")))
    assert.isFalse(agree(words("a"), words("ab")))
  })
})

it("tensors of other shapes or datatypes, or that are missing, don't agree", () => {
  assert.isFalse(agree(int32(1), { ...int32(1), shape: [1, 1] }))
  assert.isFalse(agree(int32(1, 2), { ...int32(1, 2), shape: [1] }))
  assert.isFalse(agree(fp32(1), int32(1)))
  assert.isFalse(outputsAgree({}, { y: int32(1) }, ["y"]))
  assert.isFalse(outputsAgree({ y: int32(1) }, {}, ["y"]))
  assert.isTrue(outputsAgree({ y: int32(1) }, { y: int32(1), z: int32(2) }, ["y"]))
})
