import { assert, it } from "@effect/vitest"
import type { Datatype } from "../../src/model/Datatype.ts"
import { allocate, type NumericDatatype } from "../../src/model/Tensor.ts"
import { bytesElement, describeValue, loadElement, storeElement } from "../../src/tensors/elements.ts"

/** What comes back of a value, or what was said of it. */
const through = <D extends NumericDatatype>(datatype: D, value: unknown) => {
  const data = allocate[datatype](1)
  return storeElement[datatype](data, 0, value) ?? loadElement[datatype](data, 0)
}

const limits = {
  UINT8: [0, 255],
  UINT16: [0, 65_535],
  UINT32: [0, 4_294_967_295],
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  INT32: [-2_147_483_648, 2_147_483_647],
} satisfies Partial<Record<Datatype, [number, number]>>

for (const datatype of ["UINT8", "UINT16", "UINT32", "INT8", "INT16", "INT32"] as const)
  it(`${datatype} takes its whole range and nothing beside it`, () => {
    const [minimum, maximum] = limits[datatype]
    const range = `is out of the range of ${datatype}, ${minimum} to ${maximum}`
    assert.strictEqual(through(datatype, minimum), minimum)
    assert.strictEqual(through(datatype, maximum), maximum)
    assert.strictEqual(through(datatype, minimum - 1), `${minimum - 1} ${range}`)
    assert.strictEqual(through(datatype, maximum + 1), `${maximum + 1} ${range}`)
    assert.strictEqual(through(datatype, 0.5), `expected an integer for ${datatype}, got 0.5`)
    assert.strictEqual(through(datatype, Number.NaN), `expected an integer for ${datatype}, got NaN`)
    assert.strictEqual(through(datatype, true), `expected an integer for ${datatype}, got true`)
    assert.strictEqual(through(datatype, "1"), `expected an integer for ${datatype}, got the string "1"`)
    assert.strictEqual(through(datatype, 1n), `expected an integer for ${datatype}, got 1`)
  })

it("64-bit integers are exact to their ends", () => {
  assert.strictEqual(through("INT64", -(2n ** 63n)), -(2n ** 63n))
  assert.strictEqual(through("INT64", 2n ** 63n - 1n), 2n ** 63n - 1n)
  assert.strictEqual(through("UINT64", 2n ** 64n - 1n), 2n ** 64n - 1n)
  assert.strictEqual(through("UINT64", 0), 0)
  assert.strictEqual(through("INT64", -0), 0)
})

it("64-bit integers are numbers where these are exact and bigints beyond", () => {
  assert.strictEqual(through("INT64", 5n), 5)
  assert.strictEqual(through("INT64", Number.MIN_SAFE_INTEGER), Number.MIN_SAFE_INTEGER)
  assert.strictEqual(through("UINT64", BigInt(Number.MAX_SAFE_INTEGER)), Number.MAX_SAFE_INTEGER)
  assert.strictEqual(through("UINT64", 2n ** 53n), 2n ** 53n)
  assert.strictEqual(through("INT64", -(2n ** 53n)), -(2n ** 53n))
})

it("64-bit integers refuse what is no integer, inexact or out of range", () => {
  assert.strictEqual(through("INT64", 1.5), "expected an integer for INT64, got 1.5")
  assert.strictEqual(through("INT64", Infinity), "expected an integer for INT64, got Infinity")
  assert.strictEqual(through("UINT64", null), "expected an integer for UINT64, got null")
  assert.strictEqual(
    through("INT64", 2 ** 60),
    "1152921504606847000 is beyond 2^53, where a JavaScript number is not exact: give a bigint",
  )
  assert.strictEqual(through("UINT64", -1), `-1 is out of the range of UINT64, 0 to ${2n ** 64n - 1n}`)
  assert.strictEqual(
    through("UINT64", 2n ** 64n),
    `${2n ** 64n} is out of the range of UINT64, 0 to ${2n ** 64n - 1n}`,
  )
  assert.strictEqual(
    through("INT64", 2n ** 63n),
    `${2n ** 63n} is out of the range of INT64, ${-(2n ** 63n)} to ${2n ** 63n - 1n}`,
  )
})

for (const datatype of ["FP16", "BF16", "FP32", "FP64"] as const)
  it(`${datatype} takes numbers, infinities and NaN, and refuses to overflow in silence`, () => {
    assert.strictEqual(through(datatype, 1.5), 1.5)
    assert.isTrue(Object.is(through(datatype, -0), -0))
    assert.strictEqual(through(datatype, 3n), 3)
    assert.strictEqual(through(datatype, Infinity), Infinity)
    assert.strictEqual(through(datatype, -Infinity), -Infinity)
    assert.isTrue(Number.isNaN(through(datatype, Number.NaN)))
    assert.strictEqual(
      through(datatype, -(10n ** 400n)),
      `an integer of more than 40 digits is out of the range of ${datatype}`,
    )
    assert.strictEqual(through(datatype, "1.5"), `expected a number for ${datatype}, got the string "1.5"`)
    assert.strictEqual(through(datatype, undefined), `expected a number for ${datatype}, got undefined`)
  })

it("narrow floats say when a number is too large for them", () => {
  assert.strictEqual(through("FP16", 65_504), 65_504)
  assert.strictEqual(through("FP16", -70_000), "-70000 is out of the range of FP16")
  assert.strictEqual(through("BF16", 1e39), "1e+39 is out of the range of BF16")
  assert.strictEqual(through("FP32", 1e39), "1e+39 is out of the range of FP32")
  assert.strictEqual(through("FP64", Number.MAX_VALUE), Number.MAX_VALUE)
})

it("BOOL takes true and false only", () => {
  assert.strictEqual(through("BOOL", true), true)
  assert.strictEqual(through("BOOL", false), false)
  assert.strictEqual(through("BOOL", 1), "expected true or false for BOOL, got 1")
  assert.isTrue(loadElement.BOOL(Uint8Array.of(2), 0))
})

it("BYTES elements are strings as UTF-8, or bytes as they are", () => {
  const bytes = Uint8Array.of(1, 2, 3)
  assert.strictEqual(bytesElement(bytes), bytes)
  assert.deepStrictEqual(bytesElement("é🦊"), new TextEncoder().encode("é🦊"))
  assert.isUndefined(bytesElement(5))
  assert.strictEqual(loadElement.BYTES([new TextEncoder().encode("\u{feff}a\u0000")], 0), "\u{feff}a\u0000")
})

it("a place that holds nothing reads as a zero of its datatype", () => {
  assert.strictEqual(loadElement.FP32(new Float32Array(0), 0), 0)
  assert.strictEqual(loadElement.INT64(new BigInt64Array(0), 0), 0)
  assert.strictEqual(loadElement.BYTES([], 0), "")
})

it("values are described shortly, whatever they are", () => {
  assert.strictEqual(describeValue("a\n"), 'the string "a\\n"')
  assert.strictEqual(describeValue("x".repeat(10_000_000)), `the string "${"x".repeat(40)}…"`)
  assert.strictEqual(describeValue([1, 2]), "an array of 2")
  assert.strictEqual(describeValue(null), "null")
  assert.strictEqual(describeValue({ secret: 1 }), "an object")
  assert.strictEqual(describeValue(undefined), "undefined")
  assert.strictEqual(
    describeValue(() => 1),
    "a function",
  )
  assert.strictEqual(describeValue(-5n), "-5")
  assert.strictEqual(describeValue(10n ** 40n - 1n), "9".repeat(40))
  assert.strictEqual(describeValue(-(10n ** 100_000n)), "an integer of more than 40 digits")
})
