/** 16-bit floats as numbers: IEEE 754 binary16 (FP16), and bfloat16, which is the upper half of a binary32 (BF16). */

const word = new DataView(new ArrayBuffer(4))

/** Rounds to nearest, ties to even, as IEEE 754 asks; overflow gives an infinity. */
export const toBF16 = (value: number): number => {
  if (Number.isNaN(value)) return 0x7fc0
  const bits = binary32ToOdd(value)
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
}

/**
 * The bits of a binary32 that was cut rather than rounded, with its last bit set where something was cut. Rounding to
 * nearest here and then again to 16 bits would take what lies just beside a tie for a tie.
 */
const binary32ToOdd = (value: number): number => {
  word.setFloat32(0, value)
  const bits = word.getUint32(0)
  const rounded = word.getFloat32(0)
  if (rounded === value) return bits
  return (Math.abs(rounded) > Math.abs(value) ? bits - 1 : bits) | 1
}

export const fromBF16 = (bits: number): number => {
  word.setUint32(0, bits << 16)
  return word.getFloat32(0)
}

/** Largest value that does not round to infinity: halfway between 65504 and the 65536 that would come next. */
const fp16Overflow = 65520

/** Rounds to nearest, ties to even; overflow gives an infinity. */
export const toFP16 = (value: number): number => {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const size = Math.abs(value)
  if (Number.isNaN(value)) return 0x7e00
  if (size >= fp16Overflow) return sign | 0x7c00
  // Below 2^-14 all values are multiples of 2^-24; above, the step is 2^-10 of the power of two below the value.
  if (size < 2 ** -14) return sign | roundHalfEven(size * 2 ** 24)
  const exponent = Math.floor(Math.log2(size))
  const power = size < 2 ** exponent ? exponent - 1 : exponent
  const mantissa = roundHalfEven((size / 2 ** power - 1) * 1024)
  // A mantissa rounded up to 1024 carries into the exponent, which the addition does by itself.
  return sign | (((power + 15) << 10) + mantissa)
}

export const fromFP16 = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 0x1f
  const mantissa = bits & 0x3ff
  if (exponent === 0x1f) return mantissa === 0 ? sign * Infinity : Number.NaN
  if (exponent === 0) return sign * mantissa * 2 ** -24
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
}

const roundHalfEven = (value: number): number => {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}
