import { assert, describe, it } from "@effect/vitest"
import type { Dimension, Tensor } from "@modelforge/core"
import { random } from "../../../../core/test/random.ts"
import { classify, refuseUnclassifiable } from "../../../src/dataplane/response/classification.ts"
import { refusal } from "../refusal.ts"

const text = new TextDecoder()

const classes = (tensor: Tensor, k: number, shape: ReadonlyArray<Dimension> = tensor.shape) => {
  const found = classify(tensor, { name: "y", datatype: tensor.datatype, shape }, k)
  assert.strictEqual(found.datatype, "BYTES")
  return { shape: found.shape, data: found.data.map((element) => text.decode(element)) }
}

const floats = (data: ReadonlyArray<number>, shape = [data.length]): Tensor => ({
  datatype: "FP32",
  shape,
  data: Float32Array.from(data),
})

describe("classify", () => {
  it("gives the greatest elements with their places, best first", () => {
    assert.deepStrictEqual(classes(floats([0.125, 4, -1, 2.5]), 3), {
      shape: [3],
      data: ["4.000000:1", "2.500000:3", "0.125000:0"],
    })
  })

  it("gives as many as there are", () => {
    assert.deepStrictEqual(classes(floats([1, 2]), 10), { shape: [2], data: ["2.000000:1", "1.000000:0"] })
    assert.deepStrictEqual(classes(floats([]), 10), { shape: [0], data: [] })
    assert.deepStrictEqual(classes(floats([7], []), 2), { shape: [1], data: ["7.000000:0"] })
  })

  it("does so for each row of a batch, where the first of several dimensions is free", () => {
    const rows = floats([1, 2, 3, 6, 5, 4], [2, 3])
    for (const first of ["batch", -1])
      assert.deepStrictEqual(classes(rows, 2, [first, 3]), {
        shape: [2, 2],
        data: ["3.000000:2", "2.000000:1", "6.000000:0", "5.000000:1"],
      })
    assert.deepStrictEqual(classes(rows, 2, [2, 3]), { shape: [2], data: ["6.000000:3", "5.000000:4"] })
    assert.deepStrictEqual(classes(floats([1, 2]), 1, ["n"]), { shape: [1], data: ["2.000000:1"] })
    assert.deepStrictEqual(classes(floats([], [0, 3]), 1, ["batch", 3]), { shape: [0, 0], data: [] })
  })

  it("writes numbers as C does", () => {
    const wild = [1e-7, 1e21, Infinity, -Infinity, Number.NaN, 123456.5]
    assert.deepStrictEqual(classes({ datatype: "FP64", shape: [6], data: Float64Array.from(wild) }, 6).data, [
      "inf:2",
      "1000000000000000000000.000000:1",
      "123456.500000:5",
      "0.000000:0",
      "-inf:3",
      "nan:4",
    ])
    for (const [tensor, data] of [
      [{ datatype: "UINT8", shape: [2], data: Uint8Array.of(3, 200) }, ["200:1", "3:0"]],
      [
        { datatype: "INT64", shape: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 62n) },
        ["4611686018427387904:1", "-9223372036854775808:0"],
      ],
      [{ datatype: "FP16", shape: [2], data: Uint16Array.of(0xbc00, 0x3800) }, ["0.500000:1", "-1.000000:0"]],
      [{ datatype: "BF16", shape: [2], data: Uint16Array.of(0x3f80, 0x4000) }, ["2.000000:1", "1.000000:0"]],
    ] as const satisfies ReadonlyArray<readonly [Tensor, ReadonlyArray<string>]>)
      assert.deepStrictEqual(classes(tensor, 2).data, [...data])
  })

  it("orders as sorting would, the first of equals first", () => {
    for (let seed = 0; seed < 200; seed++) {
      const dice = random(seed)
      const data = Array.from({ length: 1 + dice.int(40) }, () =>
        dice.pick([Number.NaN, -1, 0, 1, 2, dice.int(50)]),
      )
      const order = data
        .map((value, index) => ({ value, index }))
        .sort((a, b) => {
          if (Number.isNaN(a.value) || Number.isNaN(b.value))
            return Number(Number.isNaN(a.value)) - Number(Number.isNaN(b.value))
          return b.value - a.value
        })
        .map(({ index }) => index)
      const k = 1 + dice.int(50)
      const found = classes(floats(data), k).data.map((element) => Number(element.split(":")[1]))
      assert.deepStrictEqual(found, order.slice(0, k), `seed ${seed}`)
    }
  })

  it("refuses more than a million results", () => {
    const many: Tensor = { datatype: "INT8", shape: [1_048_577, 1], data: new Int8Array(1_048_577) }
    assert.throws(() => classes(many, 1, ["batch", 1]), /1048577 elements, more than the 1048576/)
  })
})

describe("refuseUnclassifiable", () => {
  const signature = {
    inputs: [],
    outputs: [
      { name: "y", datatype: "FP32", shape: [2] },
      { name: "t", datatype: "BYTES", shape: [2] },
      { name: "b", datatype: "BOOL", shape: [2] },
    ],
  } as const
  const forms = (name: string, count: number | undefined) => ({
    listed: new Map([[name, { binary: false, classes: count }]]),
    others: { binary: false, classes: undefined },
  })

  it("lets numbers pass, and what is no classification or no output", () => {
    for (const [name, count] of [
      ["y", 1],
      ["t", undefined],
      ["z", 1],
    ] as const)
      refuseUnclassifiable(signature, forms(name, count))
  })

  it("refuses what has no order", () => {
    for (const name of ["t", "b"])
      assert.match(
        refusal(() => refuseUnclassifiable(signature, forms(name, 1))).message,
        /classification is for numbers/,
      )
  })
})
