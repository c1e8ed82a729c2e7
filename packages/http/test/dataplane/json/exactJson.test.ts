import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type Random, random } from "../../../../core/test/random.ts"
import { hasLongIntegers, hasNonFinite, parseExactJson } from "../../../src/dataplane/json/exactJson.ts"

interface Sample {
  readonly text: string
  readonly value: unknown
}

const sampleOf = (value: unknown, text = JSON.stringify(value)): Sample => ({ text, value })

const digits = ({ int }: Random, length: number) =>
  `${1 + int(9)}${Array.from({ length: length - 1 }, () => int(10)).join("")}`

const integer = (random: Random): Sample => {
  const text = `${random.pick(["", "-"])}${digits(random, 1 + random.int(22))}`
  return { text, value: Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text) }
}

const shortNumber = (random: Random): Sample => {
  const text = random.pick(["0", "-0", "1.5", "-2e3", "1E-7", "0.1", "12345678901234567890.5", "9e99", "7"])
  return sampleOf(Number(text), text)
}

/** Everything in a string that looks like a number, a quote or an escape. */
const text = ({ int, pick }: Random): Sample =>
  sampleOf(
    Array.from({ length: int(6) }, () =>
      pick([
        '"',
        "\\",
        '\\"',
        "12345678901234567890",
        "-99999999999999999999",
        "NaN",
        ",",
        "]",
        "é",
        "\n",
        "🦊",
      ]),
    ).join(""),
  )

const space = ({ pick }: Random) => pick(["", "", " ", "\n\t", "\r\n"])

/** A JSON text and what it means, with integers beyond 2^53 as bigints. */
const json = (random: Random, number: (random: Random) => Sample, depth = 4): Sample => {
  const kind = random.int(depth === 0 ? 4 : 6)
  if (kind === 0) return random.pick([sampleOf(true), sampleOf(false), sampleOf(null)])
  if (kind === 1) return text(random)
  if (kind <= 3) return number(random)
  const children = Array.from({ length: random.int(4) }, () => json(random, number, depth - 1))
  const gap = space(random)
  if (kind === 4)
    return {
      text: `[${children.map((child) => `${gap}${child.text}${gap}`).join(",")}]`,
      value: children.map((child) => child.value),
    }
  const members = children.map((child, index) => ({ key: `${index}${text(random).value}`, child }))
  return {
    text: `{${members.map(({ key, child }) => `${JSON.stringify(key)}${gap}:${gap}${child.text}`).join(",")}}`,
    value: Object.fromEntries(members.map(({ key, child }) => [key, child.value])),
  }
}

const many = { arbitrary: { runs: 1500 } }

/** What a parser does with a text: its value, or that it throws a `SyntaxError`. */
const outcome = (parser: (text: string) => unknown, input: string) => {
  try {
    return { value: parser(input) }
  } catch (error) {
    assert.instanceOf(error, SyntaxError)
    return "refused"
  }
}

describe("parseExactJson", () => {
  it.prop(
    "is JSON.parse where there are no long integers",
    [Schema.Int],
    ([seed]) => {
      const { text } = json(random(seed), shortNumber)
      assert.deepStrictEqual(parseExactJson(text), JSON.parse(text))
      assert.deepStrictEqual(parseExactJson(text, true), JSON.parse(text))
    },
    many,
  )

  it.prop(
    "reads every integer exactly, wherever it stands",
    [Schema.Int],
    ([seed]) => {
      const { text, value } = json(random(seed), integer)
      assert.deepStrictEqual(parseExactJson(text), value)
    },
    many,
  )

  it.prop(
    "refuses damaged JSON as JSON.parse does, with a SyntaxError",
    [Schema.Int],
    ([seed]) => {
      const dice = random(seed)
      const { text } = json(dice, integer)
      const at = dice.int(text.length + 1)
      const wild = dice.pick([
        "",
        '"',
        "\\",
        "-",
        "0",
        "00",
        "1",
        ".",
        "e",
        "{",
        "]",
        ",",
        ":",
        "NaN",
        "\u0001",
      ])
      const damaged = text.slice(0, at) + wild + text.slice(at + dice.int(3))
      const expected = outcome(JSON.parse, damaged)
      const came = outcome(parseExactJson, damaged)
      if (expected === "refused" || came === "refused") assert.strictEqual(came, expected, damaged)
    },
    { arbitrary: { runs: 5000 } },
  )

  it("keeps the extremes of 64 bits, and numbers as far as these are exact", () => {
    for (const [text, value] of [
      ["9007199254740991", 9007199254740991],
      ["-9007199254740991", -9007199254740991],
      ["9007199254740992", 2n ** 53n],
      ["9007199254740993", 2n ** 53n + 1n],
      ["-9007199254740993", -(2n ** 53n) - 1n],
      ["18446744073709551615", 2n ** 64n - 1n],
      ["18446744073709551616", 2n ** 64n],
      ["-9223372036854775808", -(2n ** 63n)],
      ["-18446744073709551616", -(2n ** 64n)],
    ] as const) {
      assert.strictEqual(parseExactJson(text), value)
      assert.deepStrictEqual(parseExactJson(`{"a":[[${text}],{"${text}":${text}}],"b":"${text}"}`), {
        a: [[value], { [text]: value }],
        b: text,
      })
    }
  })

  it("takes digits too many for any number as what JSON.parse makes of them", () => {
    assert.strictEqual(parseExactJson(`-${"9".repeat(2_000_000)}`), Number.NEGATIVE_INFINITY)
  })

  it("refuses long integers where JSON has none", () => {
    const long = "12345678901234567890"
    for (const text of [
      `{${long}:1}`,
      `0${long}`,
      `-0${long}`,
      `+${long}`,
      `--${long}`,
      `.${long}`,
      `${long}.`,
      `${long}e`,
      `${long}"a"`,
      `"a"${long}`,
      `${long} ${long}`,
      `${long}-1`,
      `'${long}'`,
      `"${long}`,
      `[${long}`,
      `${long}n`,
    ]) {
      assert.strictEqual(outcome(JSON.parse, text), "refused", text)
      assert.strictEqual(outcome(parseExactJson, text), "refused", text)
    }
  })

  it("sets a member `__proto__` as JSON.parse does: as any other", () => {
    const parsed = parseExactJson('{"__proto__":{"a":12345678901234567890}}')
    assert.deepStrictEqual(Object.entries(parsed ?? {}), [["__proto__", { a: 12345678901234567890n }]])
    assert.isUndefined(Object.assign({}, { a: undefined }).a)
  })

  it("reads any nesting and any length in time that grows with the text", () => {
    const long = "12345678901234567890"
    // Megabytes each: anything quadratic in them would take minutes.
    const size = 300_000
    const deep = `${"[".repeat(size)}${long}${"]".repeat(size)}`
    let level: unknown = parseExactJson(deep)
    while (Array.isArray(level)) level = level[0]
    assert.strictEqual(level, BigInt(long))
    for (const text of [
      `["${'\\"'.repeat(size)}",${long}]`,
      `["${"\\\\".repeat(size)}",${long}]`,
      `[${`"",`.repeat(size)}${long}]`,
      `[${`1.5,`.repeat(size)}${long}]`,
    ]) {
      assert.isTrue(hasLongIntegers(text))
      const parsed = parseExactJson(text)
      assert.isTrue(Array.isArray(parsed) && parsed.at(-1) === BigInt(long))
    }
    for (const text of ["-".repeat(size), '"'.repeat(size + 1), "\\".repeat(size), `"${"\\".repeat(size)}`])
      assert.strictEqual(outcome(parseExactJson, text), "refused")
    assert.isFalse(hasLongIntegers(`${"1".repeat(size)}.5`))
  })
})

describe("non-finite numbers", () => {
  it("are read where they are taken, outside strings", () => {
    assert.deepStrictEqual(parseExactJson('[NaN, Infinity,-Infinity, "NaN", {"Infinity":NaN}]', true), [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      "NaN",
      { Infinity: Number.NaN },
    ])
    assert.deepStrictEqual(parseExactJson("[NaN,-12345678901234567890]", true), [
      Number.NaN,
      -12345678901234567890n,
    ])
  })

  it("are refused elsewhere, and so is what only resembles them", () => {
    for (const text of ["NaN", "[Infinity]", "-Infinity"])
      assert.strictEqual(outcome(parseExactJson, text), "refused")
    for (const text of ["{NaN:1}", "-NaN", "NaNN", "+Infinity", "Infinit", "nan", "[1 NaN]", "--Infinity"])
      assert.strictEqual(
        outcome((input) => parseExactJson(input, true), text),
        "refused",
        text,
      )
  })

  it("are looked for only where there can be any", () => {
    assert.isTrue(hasNonFinite("[NaN]"))
    assert.isTrue(hasNonFinite("[-Infinity]"))
    assert.isFalse(hasNonFinite("[nan, inf]"))
  })
})

describe("hasLongIntegers", () => {
  it.prop(
    "overlooks none",
    [Schema.Int],
    ([seed]) => {
      const { text, value } = json(random(seed), integer)
      if (holdsBigInt(value)) assert.isTrue(hasLongIntegers(text), text)
    },
    many,
  )

  it("spares most bodies the slower path", () => {
    for (const text of [
      "[1,2,3]",
      "[0.1234567890123456789]",
      "[1234567890123456789.5]",
      "[1e20]",
      "[123456789012345]",
    ])
      assert.isFalse(hasLongIntegers(text), text)
  })
})

const holdsBigInt = (value: unknown): boolean =>
  typeof value === "bigint" ||
  (typeof value === "object" && value !== null && Object.values(value).some(holdsBigInt))
