import { assert, describe, it } from "@effect/vitest"
import {
  allocate,
  Datatype,
  elementCount,
  fromBF16,
  fromElements,
  fromFP16,
  type NumericDatatype,
  type Tensor,
  type TensorOf,
} from "@modelforge/core"
import { Result, Schema } from "effect"
import { random } from "../../../../core/test/random.ts"
import { parseExactJson } from "../../../src/dataplane/json/exactJson.ts"
import {
  flatJson,
  flatParts,
  isLarge,
  nestedJson,
  nestedParts,
} from "../../../src/dataplane/json/tensorJson.ts"

const tensor = (datatype: Datatype, shape: ReadonlyArray<number>, elements: ReadonlyArray<unknown>): Tensor =>
  Result.getOrThrowWith(fromElements(datatype, shape, elements, "x"), ({ message }) => new Error(message))

const flat = (datatype: Datatype, elements: ReadonlyArray<unknown>) =>
  flatJson(tensor(datatype, [elements.length], elements), "y")
const nested = (datatype: Datatype, shape: ReadonlyArray<number>, elements: ReadonlyArray<unknown>) =>
  nestedJson(tensor(datatype, shape, elements), "y")

const integers = ["UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "UINT64", "INT64"] as const
const floats = ["FP16", "BF16", "FP32", "FP64"] as const

describe("flatJson", () => {
  it("writes integers, up to the ends of 64 bits", () => {
    for (const datatype of integers) assert.strictEqual(flat(datatype, [0, 1, 127]), "[0,1,127]")
    assert.strictEqual(
      flat("UINT64", [2n ** 64n - 1n, 2n ** 53n + 1n]),
      "[18446744073709551615,9007199254740993]",
    )
    assert.strictEqual(
      flat("INT64", [-(2n ** 63n), 2n ** 63n - 1n]),
      "[-9223372036854775808,9223372036854775807]",
    )
    assert.strictEqual(flat("INT8", [-128]), "[-128]")
  })

  it("writes floats, and what is not finite as Triton does", () => {
    for (const datatype of floats)
      assert.strictEqual(
        flat(datatype, [1.5, -0.25, 0, NaN, Infinity, -Infinity]),
        "[1.5,-0.25,0,NaN,Infinity,-Infinity]",
      )
    assert.strictEqual(flat("FP64", [1e-7, 1e21, 0.1]), "[1e-7,1e+21,0.1]")
  })

  it("writes booleans, and text with what JSON escapes", () => {
    assert.strictEqual(flat("BOOL", [true, false]), "[true,false]")
    const odd = ['"', "\\", "\n\u0000\u2028", "é🦊", "", "NaN", "\ufeffbom"]
    assert.deepStrictEqual(JSON.parse(flat("BYTES", odd)), odd)
  })

  it("keeps the order of rows, whatever the shape", () => {
    assert.strictEqual(flatJson(tensor("INT32", [2, 3], [1, 2, 3, 4, 5, 6]), "y"), "[1,2,3,4,5,6]")
    assert.strictEqual(flatJson(tensor("INT32", [], [7]), "y"), "[7]")
    assert.strictEqual(flatJson(tensor("INT32", [0, 3], []), "y"), "[]")
    assert.strictEqual(flatJson(tensor("BYTES", [0], []), "y"), "[]")
  })

  it("refuses bytes that are no text, by the output's name", () => {
    const bytes: TensorOf<"BYTES"> = { datatype: "BYTES", shape: [1], data: [Uint8Array.of(0xff, 0xfe)] }
    for (const write of [flatJson, nestedJson])
      assert.throws(() => write(bytes, "labels"), 'Output "labels" holds bytes that are not UTF-8 text')
  })
})

describe("nestedJson", () => {
  it("nests along the shape", () => {
    assert.strictEqual(nested("INT32", [2, 3], [1, 2, 3, 4, 5, 6]), "[[1,2,3],[4,5,6]]")
    assert.strictEqual(nested("INT32", [1, 2, 1], [1, 2]), "[[[1],[2]]]")
    assert.strictEqual(nested("INT32", [2], [1, 2]), "[1,2]")
    assert.strictEqual(nested("BYTES", [2, 1], ["a", "b"]), '[["a"],["b"]]')
  })

  it("writes a scalar as a bare value", () => {
    assert.strictEqual(nested("INT64", [], [2n ** 63n - 1n]), "9223372036854775807")
    assert.strictEqual(nested("BOOL", [], [true]), "true")
    assert.strictEqual(nested("BYTES", [], ["a"]), '"a"')
    assert.strictEqual(nested("FP32", [], [NaN]), '"NaN"')
  })

  it("writes empty dimensions where they are", () => {
    assert.strictEqual(nested("FP32", [0], []), "[]")
    assert.strictEqual(nested("FP32", [0, 3], []), "[]")
    assert.strictEqual(nested("FP32", [2, 0], []), "[[],[]]")
    assert.strictEqual(nested("FP32", [2, 0, 5], []), "[[],[]]")
    assert.strictEqual(nested("BYTES", [1, 0], []), "[[]]")
  })

  it("writes what is not finite as strings, and strings as they are", () => {
    for (const datatype of floats)
      assert.strictEqual(
        nested(datatype, [2, 2], [NaN, 1, -Infinity, Infinity]),
        '[["NaN",1],["-Infinity","Infinity"]]',
      )
    assert.strictEqual(nested("BYTES", [1], ["NaN"]), '["NaN"]')
  })

  it.prop(
    "is JSON that holds the tensor, for every datatype and shape",
    [Datatype, Schema.Int],
    ([datatype, seed]) => {
      const dice = random(seed)
      const shape = Array.from({ length: dice.int(5) }, () => dice.pick([0, 1, 1, 2, 3]))
      const count = elementCount(shape)
      const value = anyTensor(datatype, shape, count, dice.int)
      const json = nestedJson(value, "y")
      const isLong = datatype === "INT64" || datatype === "UINT64"
      const parsed: unknown = isLong ? parseExactJson(json) : JSON.parse(json)
      const leaves = shape.includes(0) ? [] : [parsed].flat(shape.length)
      assert.deepStrictEqual(leaves, expectedLeaves(value))
      assert.doesNotThrow(() => JSON.parse(json))
    },
    { arbitrary: { runs: 1000 } },
  )
})

/** Elements of any bits. */
const anyTensor = (
  datatype: Datatype,
  shape: ReadonlyArray<number>,
  count: number,
  int: (below: number) => number,
): Tensor => {
  if (datatype === "BYTES")
    return {
      datatype,
      shape,
      data: Array.from({ length: count }, () => new TextEncoder().encode(`${int(1000)}"\\é NaN`)),
    }
  return numeric(datatype, shape, count, int)
}

const numeric = <D extends NumericDatatype>(
  datatype: D,
  shape: ReadonlyArray<number>,
  count: number,
  int: (below: number) => number,
): Tensor => {
  const data = allocate[datatype](count)
  const bytes = new Uint8Array(data.buffer)
  for (let index = 0; index < bytes.length; index++) bytes[index] = datatype === "BOOL" ? int(2) : int(256)
  return { datatype, shape, data } as TensorOf<D> as Tensor
}

const expectedLeaves = (value: Tensor): ReadonlyArray<unknown> => {
  const { datatype, data } = value
  if (datatype === "BYTES") return data.map((bytes) => new TextDecoder().decode(bytes))
  const shown = Array.from<unknown, unknown>(data, (element) => {
    if (datatype === "BOOL") return element === 1
    if (typeof element === "bigint") return Number.isSafeInteger(Number(element)) ? Number(element) : element
    return element
  })
  if (!datatype.startsWith("FP") && datatype !== "BF16") return shown
  return floatsOf(value).map((element) => (Number.isFinite(element) ? element + 0 : String(element)))
}

const floatsOf = ({ datatype, data }: Tensor): ReadonlyArray<number> => {
  const numbers = Array.from<unknown, number>(data, Number)
  if (datatype === "FP16") return numbers.map(fromFP16)
  return datatype === "BF16" ? numbers.map(fromBF16) : numbers
}

describe("parts", () => {
  const sizes: ReadonlyArray<ReadonlyArray<number>> = [
    [],
    [0],
    [3, 0, 2],
    [8192],
    [8193],
    [100_000],
    [1, 100_000],
    [100_000, 1],
    [3, 8192],
    [5, 8193],
    [7, 1000, 3],
    [2, 3, 9000, 1],
    [50_000, 2],
  ]
  const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]

  it("give together what is written at once, whatever the shape", () => {
    for (const shape of sizes) {
      const data = Float32Array.from({ length: elementCount(shape) }, (_, index) =>
        index % 5000 === 4999 ? (odd[index % 3] ?? 0) : index / 8,
      )
      const large: Tensor = { datatype: "FP32", shape, data }
      const what = `[${shape}]`
      assert.isTrue([...flatParts(large, "y")].join("") === flatJson(large, "y"), what)
      assert.isTrue([...nestedParts(large, "y")].join("") === nestedJson(large, "y"), what)
    }
  })

  it("are small, for tensors that are not", () => {
    const data = new Uint8Array(200_000).fill(255)
    for (const shape of [[200_000], [2, 100_000], [100_000, 2], [20, 10, 1000]]) {
      const large: Tensor = { datatype: "UINT8", shape, data }
      assert.isTrue(isLarge(large))
      for (const parts of [flatParts(large, "y"), nestedParts(large, "y")])
        for (const part of parts) assert.isAtMost(part.length, 8192 * 8)
    }
    assert.isFalse(isLarge({ datatype: "UINT8", shape: [8192], data: new Uint8Array(8192) }))
  })
})
