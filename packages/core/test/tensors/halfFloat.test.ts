import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { fromBF16, fromFP16, toBF16, toFP16 } from "../../src/tensors/halfFloat.ts"

const allBits = Array.from({ length: 65_536 }, (_, bits) => bits)

/** The value of a 16-bit float by the definition of its format. */
const byDefinition = (exponentBits: number, mantissaBits: number) => (bits: number) => {
  const sign = bits >>> 15 === 1 ? -1 : 1
  const exponent = (bits >>> mantissaBits) & (2 ** exponentBits - 1)
  const fraction = (bits & (2 ** mantissaBits - 1)) / 2 ** mantissaBits
  const bias = 2 ** (exponentBits - 1) - 1
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias)
}

/**
 * Rounds by looking for the nearest of all values of the format, ties to even. Beyond the largest finite value comes
 * the power of two that would follow it, in whose place stands infinity.
 */
const byDistance = (decode: (bits: number) => number, infinity: number) => {
  const beyond = decode(infinity - 1) + (decode(infinity - 1) - decode(infinity - 2))
  const values = allBits.slice(0, infinity + 1).map((bits) => (bits === infinity ? beyond : decode(bits)))
  return (value: number): number => {
    const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
    const size = Math.abs(value)
    if (size >= beyond) return sign | infinity
    let low = 0
    let high = infinity
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if ((values[middle] ?? 0) <= size) low = middle
      else high = middle
    }
    const [below = 0, above = 0] = [values[low], values[high]]
    const nearLow = size - below
    const nearHigh = above - size
    if (nearLow === nearHigh) return sign | (low % 2 === 0 ? low : high)
    return sign | (nearLow < nearHigh ? low : high)
  }
}

const formats = [
  { name: "FP16", to: toFP16, from: fromFP16, decode: byDefinition(5, 10), infinity: 0x7c00, nan: 0x7e00 },
  { name: "BF16", to: toBF16, from: fromBF16, decode: byDefinition(8, 7), infinity: 0x7f80, nan: 0x7fc0 },
]

for (const { name, to, from, decode, infinity, nan } of formats)
  describe(name, () => {
    const reference = byDistance(decode, infinity)
    const finite = allBits.filter((bits) => Number.isFinite(decode(bits)))

    it("every bit pattern has the value that its format defines", () => {
      const wrong = allBits.filter((bits) => !Object.is(from(bits), decode(bits)))
      assert.deepStrictEqual(wrong, [])
    })

    it("every value comes back as the bits it came from; every NaN as the quiet one", () => {
      const wrong = allBits.filter((bits) => to(from(bits)) !== (Number.isNaN(decode(bits)) ? nan : bits))
      assert.deepStrictEqual(wrong, [])
    })

    it("halfway between two values rounds to the even one, and just beside it to the nearer", () => {
      const wrong = finite.filter((bits) => {
        const [value, next] = [decode(bits), bits === infinity - 1 ? undefined : decode(bits + 1)]
        if (next === undefined || !Number.isFinite(next)) return false
        const half = value + (next - value) / 2
        const step = Math.abs(next - value) * 2 ** -30
        const outward = Math.sign(half) * step
        return (
          to(half) !== (bits % 2 === 0 ? bits : bits + 1) ||
          to(half - outward) !== bits ||
          to(half + outward) !== bits + 1
        )
      })
      assert.deepStrictEqual(wrong, [])
    })

    it("overflows to infinity from halfway beyond the largest value on, never before", () => {
      const largest = decode(infinity - 1)
      const limit = largest + (largest - decode(infinity - 2)) / 2
      assert.strictEqual(to(limit), infinity)
      assert.strictEqual(to(-limit), infinity | 0x8000)
      assert.strictEqual(to(limit * (1 - 2 ** -40)), infinity - 1)
      assert.strictEqual(to(Number.MAX_VALUE), infinity)
      assert.strictEqual(to(Number.NEGATIVE_INFINITY), infinity | 0x8000)
    })

    it("underflows to a zero of the same sign", () => {
      assert.strictEqual(to(Number.MIN_VALUE), 0)
      assert.strictEqual(to(-Number.MIN_VALUE), 0x8000)
      assert.strictEqual(to(-0), 0x8000)
      assert.isTrue(Object.is(from(0x8000), -0))
    })

    it.prop(
      "any number rounds as the nearest of all values does",
      [Schema.Finite, Schema.Int.check(Schema.isBetween({ minimum: -160, maximum: 130 }))],
      ([value, exponent]) => {
        const scaled = (value % 2) * 2 ** exponent
        assert.strictEqual(to(value), reference(value))
        assert.strictEqual(to(scaled), reference(scaled))
      },
      { arbitrary: { runs: 3000 } },
    )
  })

it.prop(
  "FP16 rounds as Math.f16round does",
  [Schema.Finite.check(Schema.isBetween({ minimum: -70_000, maximum: 70_000 }))],
  ([value]) => {
    for (const size of [value, value / 1024, value * 2 ** -20, value * 2 ** -40])
      assert.isTrue(Object.is(fromFP16(toFP16(size)), Math.f16round(size)), `${size}`)
  },
  { arbitrary: { runs: 3000 } },
)

it("BF16 does not round twice: what lies just beside a tie is no tie", () => {
  // 1 + 2^-8 is the tie between 1 and 1 + 2^-7; binary32 can't tell these two from it.
  assert.strictEqual(fromBF16(toBF16(1 + 2 ** -8 + 2 ** -40)), 1 + 2 ** -7)
  assert.strictEqual(fromBF16(toBF16(1 + 3 * 2 ** -8 - 2 ** -40)), 1 + 2 ** -7)
})
