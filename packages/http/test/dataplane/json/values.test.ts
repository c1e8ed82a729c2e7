import { assert, describe, it } from "@effect/vitest"
import { parseBody } from "../../../src/dataplane/json/body.ts"
import { hasTooManyValues, maxElements, maxValues } from "../../../src/dataplane/json/values.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const repeated = (value: string, times: number) => bytes(`[${`${value},`.repeat(times - 1)}${value}]`)

describe("values of a body", () => {
  it("are counted exactly: arrays, objects, strings, members", () => {
    for (const value of ["[]", "{}", '""', '"a,[{"', '"\\\\\\""']) {
      assert.isFalse(hasTooManyValues(repeated(value, maxValues - 1)), value)
      assert.isTrue(hasTooManyValues(repeated(value, maxValues)), value)
    }
    assert.isTrue(hasTooManyValues(repeated('{"a":[1]}', maxValues / 3 + 2)))
    assert.isFalse(hasTooManyValues(repeated('{"a":[1]}', maxValues / 4)))
  })

  it("that are numbers may be many more", () => {
    assert.isFalse(hasTooManyValues(repeated("1", maxElements)))
    assert.isTrue(hasTooManyValues(repeated("1", maxElements + 2)))
  })

  it("are none within a string, however long", () => {
    assert.isFalse(hasTooManyValues(bytes(`{"a":"${"[{,".repeat(maxValues)}"}`)))
    assert.isFalse(hasTooManyValues(bytes(`"${"[".repeat(5 * maxValues)}`)), "never closed: no JSON")
  })

  it("that are too many are refused with what to do, before they are made", () => {
    const hostile = repeated("[]", 21_000_000)
    const before = process.memoryUsage().rss
    assert.throws(() => parseBody(hostile), /more than 1048576 arrays, objects and strings/)
    assert.isBelow(process.memoryUsage().rss - before, 100 * 2 ** 20)
  })
})
