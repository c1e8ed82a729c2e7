/** Weights from a seeded generator (mulberry32), so that every run measures the same models. */

/** `count` numbers, evenly spread in ±√3/√fanIn: layers then neither fade nor explode. */
export const weights = (count: number, fanIn: number, seed: number): Float32Array<ArrayBuffer> => {
  const out = new Float32Array(count)
  const range = Math.sqrt(3 / fanIn)
  let state = seed >>> 0
  for (let index = 0; index < count; index++) {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    out[index] = (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1) * range
  }
  return out
}
