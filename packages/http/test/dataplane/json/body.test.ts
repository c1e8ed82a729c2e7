import { assert, describe, it } from "@effect/vitest"
import type { Signature } from "@modelforge/core"
import { parseBody } from "../../../src/dataplane/json/body.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const takes = (datatype: "INT64" | "UINT64" | "FP64"): Signature => ({
  inputs: [{ name: "x", datatype, shape: [] }],
  outputs: [],
})

describe("parseBody", () => {
  it("reads JSON in UTF-8, with a byte order mark or without", () => {
    assert.deepStrictEqual(parseBody(bytes('{"a":"é🦊"}')).value, { a: "é🦊" })
    assert.deepStrictEqual(parseBody(bytes("\ufeff[1]")).value, [1])
  })

  it("reads long integers exactly where the signature has a use for them", () => {
    const body = parseBody(bytes('{"a":9007199254740993,"b":[1,"x"]}'))
    const rounded = { a: 9007199254740992, b: [1, "x"] }
    assert.deepStrictEqual(body.value, rounded)
    assert.deepStrictEqual(body.exactFor(takes("FP64")), rounded)
    for (const datatype of ["INT64", "UINT64"] as const)
      assert.deepStrictEqual(body.exactFor(takes(datatype)), { a: 9007199254740993n, b: [1, "x"] })
  })

  it("does not read a body twice that has no long integers", () => {
    const body = parseBody(bytes("[1,2]"))
    assert.strictEqual(body.exactFor(takes("INT64")), body.value)
  })

  it("takes numbers that are not finite only where it is told to", () => {
    assert.deepStrictEqual(parseBody(bytes("[NaN,-Infinity]"), true).value, [NaN, -Infinity])
    assert.throws(() => parseBody(bytes("[NaN]")), /The body is not JSON/)
    assert.deepStrictEqual(parseBody(bytes("[NaN,9007199254740993]"), true).exactFor(takes("INT64")), [
      NaN,
      9007199254740993n,
    ])
  })

  it("says what can't be read, in a few words", () => {
    assert.throws(() => parseBody(new Uint8Array()), "The body is empty: send a JSON object with the inputs")
    assert.throws(() => parseBody(Uint8Array.of(0xff, 0xfe, 0x7b)), "it is not UTF-8 text")
    assert.throws(() => parseBody(bytes(" ")), /The body is not JSON: /)
    assert.throws(() => parseBody(bytes('{"a":NaN,}'), true), /The body is not JSON: /)
    try {
      parseBody(bytes(`{"a":${"x".repeat(100_000)}}`))
      assert.fail("it was taken")
    } catch (error) {
      assert.isBelow(String(error).length, 400)
    }
  })
})
