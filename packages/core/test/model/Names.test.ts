import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { AliasName, ModelName, productionAlias } from "../../src/model/Names.ts"

const takes = (schema: Schema.Codec<string, string>) => (value: string) =>
  Option.isSome(Schema.decodeUnknownOption(schema)(value))

const message = (schema: Schema.Codec<string, string>, value: unknown) =>
  Schema.decodeUnknownExit(schema)(value).toString()

describe("a model name", () => {
  const isName = takes(ModelName)

  it("is lower-case, of letters, digits, dots, underscores and dashes", () => {
    for (const name of [
      "a",
      "7",
      "digits",
      "resnet-50",
      "bert.v2_base",
      "0..-",
      "constructor",
      "a".repeat(63),
    ])
      assert.isTrue(isName(name), name)
  })

  it("is nothing that a URL, a path or a person could take for something else", () => {
    const wrong = ["", "A", "-a", ".", "..", "_a", "a b", "a/b", "a%2fb", "é", "a\n", "\na", "a\u0000", "a:b"]
    for (const name of [...wrong, "a".repeat(64), "stats"]) assert.isFalse(isName(name), JSON.stringify(name))
  })

  it("says what it is to be", () => {
    assert.include(
      message(ModelName, "Digits"),
      "a model name is 1 to 63 of a-z, 0-9, '.', '_' and '-', and starts with a letter or digit",
    )
    assert.include(message(ModelName, "stats"), "a model can't be named 'stats'")
  })

  it.prop("is safe in a URL as it is", [ModelName], ([name]) => {
    assert.strictEqual(encodeURIComponent(name), name)
    assert.isTrue(isName(name))
  })
})

describe("an alias", () => {
  const isAlias = takes(AliasName)

  it("is lower-case, of letters, digits, underscores and dashes", () => {
    for (const alias of [productionAlias, "canary", "v2", "2-", "1_000", "2024-01", "a".repeat(63)])
      assert.isTrue(isAlias(alias), alias)
  })

  it("is nothing that a URL or a path could take for something else", () => {
    const wrong = ["", "A", "-a", "_a", "a.b", "a b", "a/b", "é", "a\n", "1\n", "a".repeat(64)]
    for (const alias of wrong) assert.isFalse(isAlias(alias), JSON.stringify(alias))
  })

  it("says what it is to be", () => {
    assert.include(
      message(AliasName, "7"),
      "an alias is 1 to 63 of a-z, 0-9, '_' and '-', starts with a letter or digit, and is not a number",
    )
  })

  it.prop("is never a number", [Schema.Int], ([number]) => {
    assert.isFalse(isAlias(String(number)))
    assert.isFalse(isAlias(`0${Math.abs(number)}`))
  })

  const ends = Schema.Literals(["0", "7", "a", "z", "-", "_"])
  it.prop("is every such name but the numbers", [Schema.Array(ends)], ([characters]) => {
    const name = characters.join("")
    const expected = /^[a-z0-9]/.test(name) && name.length <= 63 && !/^[0-9]+$/.test(name)
    assert.strictEqual(isAlias(name), expected, name)
  })
})
