import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import type { Datatype } from "../../src/model/Datatype.ts"
import type { Tensor } from "../../src/model/Tensor.ts"
import type { ScanOptions } from "../../src/tensors/JsonElements.ts"
import { fromNested } from "../../src/tensors/nested.ts"
import { scanTensor } from "../../src/tensors/scanTensor.ts"

const encode = (text: string) => new TextEncoder().encode(text)

/** Scans a text that stands in the middle of something else, as it does in a body. */
const scan = (text: string, datatype: Datatype, options?: ScanOptions): Tensor | undefined => {
  const json = encode(`{"x":${text}}`)
  const scanned = scanTensor(json, 5, datatype, options)
  if (scanned !== undefined) assert.strictEqual(scanned.end, json.length - 1)
  return scanned?.tensor
}

/** What the road through JavaScript values gives. */
const parse = (text: string, datatype: Datatype): Tensor | undefined => {
  try {
    return Result.getOrUndefined(fromNested(datatype, JSON.parse(text), "x"))
  } catch {
    return undefined
  }
}

const int = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))
const pick = <A>(...from: ReadonlyArray<A>) =>
  Arbitrary.map(int(0, from.length - 1), (index) => from[index] as A)
const digits = (maxLength: number) =>
  Arbitrary.map(Arbitrary.array(int(0, 9), { minLength: 1, maxLength }), (all) => all.join(""))

/** Every form that JSON allows a number, of any length. */
const numberText = Arbitrary.all([
  pick("", "-"),
  Arbitrary.map(digits(21), (text) => text.replace(/^0+(?=\d)/, "")),
  Arbitrary.map(Arbitrary.all([int(0, 2), digits(30)]), ([kind, text]) => (kind === 0 ? "" : `.${text}`)),
  Arbitrary.map(Arbitrary.all([int(0, 3), pick("e", "E"), pick("", "+", "-"), int(0, 60)]), (all) =>
    all[0] === 0 ? all.slice(1).join("") : "",
  ),
]).pipe(Arbitrary.map((parts) => parts.join("")))

const float = Arbitrary.map(Arbitrary.schema(Schema.Finite), String)
const single = Arbitrary.map(Arbitrary.schema(Schema.Finite), (value) => String(Math.fround(value % 1e38)))
const word = pick(
  "NaN",
  "Infinity",
  "-Infinity",
  "true",
  "false",
  "null",
  '"a"',
  '"é"',
  '"\\u00e9\\n"',
  "01",
  "1.",
)
const smallNumber = pick(
  "0",
  "-0",
  "1",
  "255",
  "256",
  "-128",
  "65535",
  "1e2",
  "1.0",
  "0.5",
  "4294967295",
  "1E400",
)
const space = pick("", "", "", " ", "\n\t", "\r ", "\u000b")

const arrays = (element: Arbitrary.Arbitrary<string>, gap: Arbitrary.Arbitrary<string>) =>
  Arbitrary.all([
    Arbitrary.array(int(0, 3), { maxLength: 3 }),
    Arbitrary.array(element, { minLength: 1, maxLength: 8 }),
    gap,
  ]).pipe(
    Arbitrary.map(([sizes, pool, gap]) => {
      let next = 0
      const nest = (axis: number): string => {
        const size = sizes[axis] ?? (axis === sizes.length ? pool.length : -1)
        if (size === -1) return pool[next++ % pool.length] ?? ""
        return `[${gap}${Array.from({ length: size }, () => nest(axis + 1)).join(`${gap},${gap}`)}${gap}]`
      }
      return nest(0)
    }),
  )

const numeric: ReadonlyArray<Datatype> = [
  "BOOL",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "FP16",
  "BF16",
  "FP32",
  "FP64",
]

describe("what is plainly a tensor", () => {
  for (const datatype of ["FP32", "FP64", "FP16", "BF16"] as const)
    it.prop(`${datatype}: numbers of any form, to the bit`, [arrays(numberText, pick("", " "))], ([text]) => {
      const expected = parse(text, datatype)
      const scanned = scan(text, datatype)
      // What overflows a double is left to the other road, which takes it for an infinity.
      if (scanned !== undefined || !/\d{300}|e\+?\d{2}/i.test(text)) assert.deepStrictEqual(scanned, expected)
    })

  it.prop(
    "floats as programs write them are never left alone",
    [arrays(float, pick("", " ")), arrays(single, pick("", " "))],
    (texts) => {
      for (const text of texts) {
        assert.deepStrictEqual(scan(text, "FP64"), parse(text, "FP64") ?? assert.fail(text))
        const rounded = parse(text, "FP32")
        if (rounded !== undefined) assert.deepStrictEqual(scan(text, "FP32"), rounded)
      }
    },
  )
})

const anything = Arbitrary.flatMap(int(0, 5), (kind) =>
  kind === 0 ? word : kind === 1 ? numberText : smallNumber,
)

it.prop("anything: the same as by JSON.parse, or left alone", [arrays(anything, space)], ([text]) => {
  for (const datatype of [...numeric, "BYTES"] as const) {
    const scanned = scan(text, datatype)
    if (scanned !== undefined) assert.deepStrictEqual(scanned, parse(text, datatype))
  }
})

it.prop(
  "a nesting with a bracket or comma too many, too few or elsewhere",
  [arrays(smallNumber, space), int(0, 200), int(0, 200), pick("[", "]", ",", "[]", "1")],
  ([text, from, to, piece]) => {
    const cut = text.slice(0, from % text.length) + text.slice((from % text.length) + 1)
    for (const changed of [cut, text.slice(0, to % text.length) + piece + text.slice(to % text.length)]) {
      const scanned = scanTensor(encode(`${changed}}`), 0, "FP64")
      const read = scanned === undefined ? undefined : parse(changed.slice(0, scanned.end), "FP64")
      assert.deepStrictEqual(scanned?.tensor, read)
    }
  },
)

it("every integer datatype keeps its ends, and what lies beyond is left alone", () => {
  const ends = {
    UINT8: [0n, 255n],
    UINT16: [0n, 65_535n],
    UINT32: [0n, 4_294_967_295n],
    UINT64: [0n, 2n ** 64n - 1n],
    INT8: [-128n, 127n],
    INT16: [-32_768n, 32_767n],
    INT32: [-(2n ** 31n), 2n ** 31n - 1n],
    INT64: [-(2n ** 63n), 2n ** 63n - 1n],
  } as const
  for (const [datatype, [least, most]] of Object.entries(ends) as Array<
    [keyof typeof ends, [bigint, bigint]]
  >) {
    const { data } = scan(`[${least},${most}, 7]`, datatype, { exact: true }) ?? assert.fail(datatype)
    assert.strictEqual(data.join(), `${least},${most},7`)
    for (const beyond of [least - 1n, most + 1n, "0.5", "true", '"1"', "null"])
      assert.isUndefined(scan(`[${beyond}]`, datatype, { exact: true }), `${datatype} ${beyond}`)
  }
})

it.prop(
  "64-bit integers are exact where they are asked for",
  [
    Arbitrary.array(
      Arbitrary.schema(
        Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n })),
      ),
    ),
  ],
  ([values]) => {
    assert.deepStrictEqual(
      scan(`[${values.join(",")}]`, "INT64", { exact: true })?.data,
      BigInt64Array.from(values),
    )
  },
)

it("leaves 64-bit integers alone that nobody asked for exactly", () => {
  assert.isDefined(scan("[9007199254740991]", "INT64"))
  assert.isUndefined(scan("[9007199254740993]", "INT64"))
})

it("reads words for floats only where they are taken", () => {
  const text = "[NaN,1,Infinity,-Infinity]"
  assert.deepStrictEqual(
    scan(text, "FP32", { words: true })?.data,
    Float32Array.of(NaN, 1, Infinity, -Infinity),
  )
  assert.deepStrictEqual(
    scan(text, "FP64", { words: true })?.data,
    Float64Array.of(NaN, 1, Infinity, -Infinity),
  )
  assert.deepStrictEqual(scan("[NaN]", "FP16", { words: true })?.data, Uint16Array.of(0x7e00))
  assert.isUndefined(scan(text, "FP32"))
  for (const datatype of ["INT64", "BOOL", "UINT8"] as const)
    assert.isUndefined(scan("[NaN]", datatype, { words: true }))
})

it("reads more elements than it makes room for at first", () => {
  const values = Array.from({ length: 100_000 }, (_, index) => index % 10)
  const text = JSON.stringify(values)
  for (const datatype of numeric)
    if (datatype !== "BOOL") assert.deepStrictEqual(scan(text, datatype), parse(text, datatype), datatype)
  const bits = `[${values.map((value) => value < 5).join(",")}]`
  assert.deepStrictEqual(scan(bits, "BOOL"), parse(bits, "BOOL"))
})

it("refuses depth before it costs anything", () => {
  assert.isDefined(scan(`${"[".repeat(32)}1${"]".repeat(32)}`, "FP32"))
  for (const depth of [33, 1_000_000])
    assert.isUndefined(scan(`${"[".repeat(depth)}1${"]".repeat(depth)}`, "FP32"))
})

it("leaves alone what ends early, wherever it does", () => {
  const text = "[[1.25,-3e2],[17.5,12345678901234567890]]"
  for (let end = 0; end < text.length; end++)
    assert.isUndefined(scanTensor(encode(text.slice(0, end)), 0, "FP64"))
  const strings = '[["a\\"b"],["é"]]'
  for (let end = 0; end < strings.length; end++)
    assert.isUndefined(scanTensor(encode(strings.slice(0, end)), 0, "BYTES"))
})

it("leaves strings alone that are not UTF-8, and those no JSON may hold", () => {
  assert.deepStrictEqual(
    scan('["a","é\\n","\ufeffb",""]', "BYTES"),
    parse('["a","é\\n","\ufeffb",""]', "BYTES"),
  )
  assert.isUndefined(scanTensor(Uint8Array.of(0x5b, 0x22, 0xff, 0x22, 0x5d), 0, "BYTES"))
  assert.isUndefined(scan('["\u0001"]', "BYTES"))
  assert.isUndefined(scan('["\\x"]', "BYTES"))
})

it("reads rows of numbers that are not plain, whatever stands among them", () => {
  // More than a stretch has room for, and 17 digits each.
  const numbers = Array.from({ length: 6000 }, (_, index) => `0.9${1e15 + index * 7_654_321}`)
  const row = (...among: ReadonlyArray<string>) =>
    `[${[...numbers.slice(0, 3000), ...among, ...numbers.slice(3000)].join(", ")}]`
  for (const datatype of ["FP64", "FP16", "FP32"] as const)
    for (const text of [row(), row("1", "-2.5e3"), `[${row()},${row()}]`])
      assert.deepStrictEqual(scan(text, datatype), parse(text, datatype) ?? assert.fail(datatype))
  const words = scan(row("NaN", "-Infinity"), "FP64", { words: true }) ?? assert.fail("words")
  const around = [Number(numbers[2999]), Number.NaN, -Infinity, Number(numbers[3000])]
  assert.strictEqual(words.data.slice(2999, 3003).join(), around.join())
  for (const odd of ["", "01", "null", '"1"', "[1]", "true", "1e400", "NaN", "1 2", "\u000b1"])
    for (const datatype of ["FP64", "FP16"] as const) assert.isUndefined(scan(row(odd), datatype), odd)
  assert.isUndefined(scan(`${row().slice(0, -1)},]`, "FP64"))
  assert.isUndefined(scan(row("70000"), "FP16"))
})

it("texts are read up to a million: each takes many times its bytes", () => {
  const texts = (count: number) => scan(`[${'"",'.repeat(count - 1)}""]`, "BYTES")
  assert.strictEqual(texts(1_048_576)?.data.length, 1_048_576)
  assert.isUndefined(texts(1_048_577))
})
