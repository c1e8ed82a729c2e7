import { assert, it } from "@effect/vitest"
import type { Schema } from "effect"
import fc from "fast-check"
import { canonicalJson } from "../../src/audit/canonicalJson.ts"

it("is as RFC 8785 shows", () => {
  const value = {
    numbers: [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"/",
    literals: [null, true, false],
  }
  assert.strictEqual(
    canonicalJson(value),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  )
  // By UTF-16 units, not by code points.
  assert.strictEqual(
    canonicalJson({ "\ufb33": 1, "😀": 2, "": 3, "1": 4, "\r": 5 }),
    '{"":3,"\\r":5,"1":4,"😀":2,"\ufb33":1}',
  )
})

const shuffled = (value: Schema.Json): Schema.Json => {
  if (Array.isArray(value)) return value.map(shuffled)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, shuffled(member as Schema.Json)]),
  )
}

it("says the same, whatever the order of members, and is the same after it was read", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const json: Schema.Json = JSON.parse(JSON.stringify(value))
      const text = canonicalJson(json)
      assert.deepStrictEqual(JSON.parse(text), json)
      assert.strictEqual(canonicalJson(shuffled(json)), text)
      assert.strictEqual(canonicalJson(JSON.parse(text)), text)
    }),
    { seed: 5 },
  )
})
