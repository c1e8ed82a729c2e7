import { assert, it } from "@effect/vitest"
import { byteWidth } from "../../src/model/byteWidth.ts"
import { Datatype } from "../../src/model/Datatype.ts"
import { allocate, elementCount, emptyTensors, isSize, type Tensor } from "../../src/model/Tensor.ts"

it("a shape holds the product of its sizes, a scalar one element", () => {
  assert.strictEqual(elementCount([]), 1)
  assert.strictEqual(elementCount([7]), 7)
  assert.strictEqual(elementCount([2, 3, 4]), 24)
  assert.strictEqual(elementCount([5, 0, 3]), 0)
})

it("sizes are integers from 0 that are exact", () => {
  for (const size of [0, 1, 2 ** 53 - 1]) assert.isTrue(isSize(size))
  for (const wrong of [-1, 0.5, 2 ** 53, Number.NaN, Infinity]) assert.isFalse(isSize(wrong))
})

it("arrays are allocated zeroed, with elements as wide as the datatype says", () => {
  for (const datatype of Datatype.literals) {
    if (datatype === "BYTES") continue
    const array = allocate[datatype](3)
    assert.strictEqual(array.length, 3)
    assert.strictEqual(array.BYTES_PER_ELEMENT, byteWidth[datatype], datatype)
    assert.isTrue([...array].every((element) => Number(element) === 0))
  }
})

it("tensors may have any names, and inherit none", () => {
  const tensors = emptyTensors()
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    assert.isUndefined(tensors[name], name)
    assert.isFalse(name in tensors, name)
  }
  const tensor: Tensor = { datatype: "UINT8", shape: [0], data: new Uint8Array(0) }
  for (const name of ["__proto__", "constructor"]) tensors[name] = tensor
  assert.deepStrictEqual(Object.entries(tensors), [
    ["__proto__", tensor],
    ["constructor", tensor],
  ])
  assert.deepStrictEqual(Object.keys(emptyTensors()), [])
})
