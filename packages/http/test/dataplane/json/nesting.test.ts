import { assert, describe, it } from "@effect/vitest"
import { isTooDeep } from "../../../src/dataplane/json/nesting.ts"

const nested = (open: string, close: string, levels: number) => open.repeat(levels) + close.repeat(levels)

describe("isTooDeep", () => {
  it("is so beyond 100 levels, of arrays, objects or both", () => {
    for (const [open, close] of [
      ["[", "]"],
      ['{"a":', "}"],
      ['[{"a":1,"b":', "}]"],
    ] as const) {
      const levels = open.startsWith("[{") ? 50 : 100
      assert.isFalse(isTooDeep(nested(open, close, levels)), open)
      assert.isTrue(isTooDeep(nested(open, close, levels + 1)), open)
      assert.isTrue(isTooDeep(open.repeat(100_000)), open)
    }
  })

  it("is not, however many there are beside each other", () => {
    assert.isFalse(isTooDeep(JSON.stringify(Array(1000).fill([[1], { a: [2] }]))))
  })

  it("passes over brackets in strings, with their escapes", () => {
    const brackets = "[".repeat(200)
    for (const text of [brackets, `"${brackets}`, `${brackets}\\`, `\\"${brackets}`, `\\\\"${brackets}`])
      assert.isFalse(isTooDeep(JSON.stringify([text, { [text]: 1 }])))
    assert.isTrue(isTooDeep(`["\\\\", ${brackets}`))
    assert.isFalse(isTooDeep(`"${brackets}`))
  })
})
