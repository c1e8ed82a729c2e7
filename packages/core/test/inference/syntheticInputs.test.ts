import { isDeepStrictEqual } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { checkInputs } from "../../src/inference/checkInputs.ts"
import { syntheticInputs } from "../../src/inference/syntheticInputs.ts"
import { byteWidth } from "../../src/model/byteWidth.ts"
import { Datatype } from "../../src/model/Datatype.ts"
import type { Signature } from "../../src/model/Signature.ts"

/** An input of every datatype. */
const everything: Signature = {
  inputs: Datatype.literals.map((datatype) => ({
    name: datatype,
    datatype,
    shape: ["batch", 3, "width", -1],
  })),
  outputs: [],
}

describe("inputs made up", () => {
  it("fit the signature, one row of them", () => {
    for (const [innerSize, shape] of [
      [undefined, [1, 3, 1, 1]],
      [4, [1, 3, 4, 4]],
    ] as const) {
      const inputs = syntheticInputs(everything, 1, innerSize)
      assert.isDefined(inputs)
      assert.deepStrictEqual(checkInputs(everything, inputs, []), [])
      for (const tensor of Object.values(inputs)) assert.deepStrictEqual(tensor.shape, shape)
    }
  })

  it("are the same for the same seed, and differ everywhere for the next", () => {
    const [first, again, other] = [1, 1, 2].map((seed) => syntheticInputs(everything, seed, 2))
    assert.deepStrictEqual(first, again)
    for (const name of Datatype.literals) {
      const [a, b] = [first?.[name]?.data, other?.[name]?.data]
      assert.strictEqual(a?.length, 12)
      const equal = [...(a ?? [])].filter((element, index) => isDeepStrictEqual(element, b?.[index]))
      assert.lengthOf(equal, 0, name)
    }
  })

  it("hold what most models survive: zeros and ones, and floats between", () => {
    const inputs = syntheticInputs(everything, 1, 2)
    const elements = (name: string) => [...(inputs?.[name]?.data ?? [])]
    for (const name of ["BOOL", "UINT8", "INT32"])
      assert.deepStrictEqual<unknown>(elements(name), [1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0])
    assert.deepStrictEqual<unknown>(elements("INT64").slice(2, 4), [1n, 0n])
    assert.deepStrictEqual(elements("BYTES").slice(2, 4), [Uint8Array.of(0x61), new Uint8Array(0)])
    for (const element of [...elements("FP32"), ...elements("FP64")]) {
      assert.isAtLeast(Number(element), 0)
      assert.isAtMost(Number(element), 1)
    }
    // 0x3c00 and 0x3f80 are 1.
    assert.isTrue(elements("FP16").every((bits) => Number(bits) > 0 && Number(bits) <= 0x3c00))
    assert.isTrue(elements("BF16").every((bits) => Number(bits) > 0 && Number(bits) <= 0x3f80))
  })

  it("take the sizes that are fixed, scalars and empty ones included", () => {
    const signature: Signature = {
      inputs: [
        { name: "scalar", datatype: "INT8", shape: [] },
        { name: "empty", datatype: "FP32", shape: [0, 2] },
      ],
      outputs: [],
    }
    assert.deepStrictEqual(syntheticInputs(signature, 2), {
      scalar: { datatype: "INT8", shape: [], data: Int8Array.of(0) },
      empty: { datatype: "FP32", shape: [0, 2], data: new Float32Array(0) },
    })
    assert.deepStrictEqual(syntheticInputs({ inputs: [], outputs: [] }, 1), {})
  })

  it("are not made up beyond 64 MiB, and nothing is allocated to find out", () => {
    for (const datatype of Datatype.literals) {
      const width = datatype === "BYTES" ? 64 : byteWidth[datatype]
      const of = (count: number): Signature => ({
        inputs: [{ name: "x", datatype, shape: ["batch", count] }],
        outputs: [],
      })
      assert.isUndefined(syntheticInputs(of(2 ** 26 / width + 1), 1))
      assert.isUndefined(syntheticInputs(of(2 ** 53), 1))
    }
  })
})
