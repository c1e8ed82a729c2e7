import { assert, it } from "@effect/vitest"
import { parseDuration } from "../../src/access/parseDuration.ts"

it("is a whole number of seconds, minutes, hours or days, of ten years at most", () => {
  for (const [text, seconds] of [
    ["90s", 90],
    ["15m", 900],
    ["12h", 43_200],
    ["30d", 2_592_000],
    ["3650d", 315_360_000],
  ] as const)
    assert.strictEqual(parseDuration(text), seconds, text)
  for (const text of [
    "",
    "0s",
    "3651d",
    "1",
    "d",
    "-1d",
    "1.5h",
    "1w",
    "1 d",
    "99999999999s",
    "1constructor",
  ])
    assert.isUndefined(parseDuration(text), text)
})
