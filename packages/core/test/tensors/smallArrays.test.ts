import { assert, describe, it } from "@effect/vitest"
import { byteWidth } from "../../src/model/byteWidth.ts"
import { Datatype } from "../../src/model/Datatype.ts"
import type { NumericDatatype, Tensor } from "../../src/model/Tensor.ts"
import { allocateSmall, outOfSlab } from "../../src/tensors/smallArrays.ts"
import { random } from "../random.ts"

const numeric = Datatype.literals.filter((datatype): datatype is NumericDatatype => datatype !== "BYTES")

describe("small arrays", () => {
  it("are zeroed, as long and as wide as asked for, and never overlap", () => {
    const { int, pick } = random(7)
    const made = Array.from({ length: 5000 }, () => {
      const datatype = pick(numeric)
      const count = int(200)
      const data = allocateSmall(datatype, count)
      assert.strictEqual(data.length, count)
      assert.strictEqual(data.BYTES_PER_ELEMENT, byteWidth[datatype])
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      assert.isTrue(bytes.every((byte) => byte === 0))
      const mark = 1 + int(255)
      bytes.fill(mark)
      return { bytes, mark }
    })
    for (const { bytes, mark } of made) assert.isTrue(bytes.every((byte) => byte === mark))
    const buffers = new Set(made.map(({ bytes }) => bytes.buffer))
    assert.isBelow(buffers.size, made.length / 2)
  })

  it("that are large have memory of their own", () => {
    const data = allocateSmall("FP64", 129)
    assert.strictEqual(data.buffer.byteLength, data.byteLength)
  })
})

describe("a tensor out of its slab", () => {
  it("has its elements in memory of its own", () => {
    for (const datatype of numeric) {
      const data = allocateSmall(datatype, 3)
      const shared = { datatype, shape: [3], data } as Tensor
      const own = outOfSlab(shared)
      assert.deepStrictEqual(own, shared)
      assert.notStrictEqual(own.data, shared.data)
      assert.isTrue(ArrayBuffer.isView(own.data) && own.data.buffer.byteLength === own.data.byteLength)
    }
  })

  it("is the same where it shares no memory", () => {
    const large: Tensor = { datatype: "FP32", shape: [1000], data: allocateSmall("FP32", 1000) }
    const view: Tensor = { datatype: "UINT8", shape: [2], data: new Uint8Array(100).subarray(1, 3) }
    const bytes: Tensor = { datatype: "BYTES", shape: [1], data: [new Uint8Array(3)] }
    for (const tensor of [large, view, bytes]) assert.strictEqual(outOfSlab(tensor), tensor)
  })
})
