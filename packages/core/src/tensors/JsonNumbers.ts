/**
 * Reads rows of JSON numbers from their bytes: what `Number(text)` gives, without making the text. This is the loop
 * that most bytes of large bodies pass, so it is one long function without calls, and all its state is local.
 */

const minus = 0x2d
const zero = 0x30
const dot = 0x2e
const comma = 0x2c
const closing = 0x5d
const space = 0x20

/** Powers of ten that a double holds exactly. */
const powersOfTen = Float64Array.from({ length: 23 }, (_, exponent) => 10 ** exponent)
const largestPower = 22

/** Below this, a mantissa's digits sum up without rounding. */
const exactMantissa = 2 ** 53
/** Up to this, four digits more keep a mantissa below 2^54, and with it the error of one rounding. */
const roomForFour = 1.8e12
/** A binary32 has less than 8 digits. From this mantissa on, what is cut off decides once in thousands of numbers. */
const enoughForSingle = 1e11
/** What a number cut off there may differ by, relative to itself, with all rounding on the way. */
const least = 1 - 2 ** -50
const most = 1 + 2 ** -36

/** Each byte less the digit 0, so that digits are 0 to 9. */
const zeros = 0x30303030

/** The highest bit of each byte that is no digit; bits after the first such byte may be wrong. */
const notDigits = (four: number): number => ((four + 0x76767676) | four) & 0x80808080

/** How many digits come before the byte that is none. */
const digitsBefore = (bits: number): number => (31 - Math.clz32(bits & -bits)) >> 3

/** The number that four digits make, the first in the lowest byte. */
const fourDigits = (four: number): number => {
  const pairs = (Math.imul(four, 10) + (four >>> 8)) | 0
  return (Math.imul(pairs & 0xff, 100) + ((pairs >>> 16) & 0xff)) | 0
}

/** The number that the first so many digits make, fewer than four. */
const someDigits = (four: number, count: number): number => fourDigits((four << 8) << (24 - 8 * count))

export class JsonNumbers {
  /** The numbers read so far; whoever takes them sets `count` to 0. */
  readonly values = new Float64Array(4096)
  count = 0
  /** Whether the last `read` came to the end of its row. */
  closed = false
  readonly #json: Uint8Array
  readonly #view: DataView
  readonly #single: boolean

  /** `single` allows any double that rounds to the same binary32 as the exact one would. */
  constructor(json: Uint8Array, single: boolean) {
    this.#json = json
    this.#view = new DataView(json.buffer, json.byteOffset, json.byteLength)
    this.#single = single
  }

  /**
   * Reads elements from `start`, where one begins, as long as they are plain numbers. Gives where it stopped: at the
   * bracket that ends the row (`closed`), or at the beginning of an element, because it is not plainly a number that
   * can be read exactly, or because there is no more room.
   */
  read(start: number): number {
    const json = this.#json
    const view = this.#view
    const single = this.#single
    const values = this.values
    const room = values.length
    const lastFour = json.length - 4
    const enough = single ? enoughForSingle : roomForFour
    let count = this.count
    let begin = start
    this.closed = false
    while (count < room) {
      let at = begin
      const negative = json[at] === minus
      if (negative) at++
      const first = json[at] ?? 0
      let mantissa = first - 48
      let code = json[++at] ?? 0
      if (code !== dot) {
        if (first === zero && code >= 48 && code <= 57) break
        const longest = at + 14
        while (code >= 48 && code <= 57 && at < longest) {
          mantissa = mantissa * 10 + (code - 48)
          code = json[++at] ?? 0
        }
      }
      if (first < 48 || first > 57) break
      let exponent = 0
      let isCut = false
      if (code === dot) {
        const fraction = ++at
        let none = 0
        while (none === 0 && mantissa < enough && at <= lastFour) {
          const four = view.getInt32(at, true) ^ zeros
          none = notDigits(four)
          if (none === 0) {
            mantissa = mantissa * 1e4 + fourDigits(four)
            at += 4
          } else {
            const digits = digitsBefore(none)
            mantissa = mantissa * (powersOfTen[digits] ?? 1) + someDigits(four, digits)
            at += digits
          }
        }
        exponent = fraction - at
        if (none === 0) {
          isCut = true
          while (none === 0 && at <= lastFour) {
            none = notDigits(view.getInt32(at, true) ^ zeros)
            at += none === 0 ? 4 : digitsBefore(none)
          }
        }
        if (none === 0 || at === fraction) break
        code = json[at] ?? 0
      }
      if (code === 0x65 || code === 0x45) {
        code = json[++at] ?? 0
        const sign = code === minus ? -1 : 1
        if (code === minus || code === 0x2b) code = json[++at] ?? 0
        if (code < 48 || code > 57) break
        let written = code - 48
        code = json[++at] ?? 0
        if (code >= 48 && code <= 57) {
          written = written * 10 + (code - 48)
          code = json[++at] ?? 0
        }
        exponent += sign * written
      }
      if (code !== comma && code !== closing) break
      if (exponent > largestPower || exponent < -largestPower) break
      const power = powersOfTen[exponent < 0 ? -exponent : exponent] ?? 1
      let value = exponent < 0 ? mantissa / power : mantissa * power
      if (isCut || mantissa >= exactMantissa) {
        if (!single) break
        // The exact number lies between these two, and rounding never changes an order.
        const rounded = Math.fround(value * least)
        if (rounded !== Math.fround(value * most)) break
        value = rounded
      }
      values[count++] = negative ? -value : value
      if (code === closing) {
        this.closed = true
        begin = at
        break
      }
      begin = at + 1
      code = json[begin] ?? 0
      while (code <= space && (code === space || code === 0x0a || code === 0x0d || code === 0x09))
        code = json[++begin] ?? 0
    }
    this.count = count
    return begin
  }
}
