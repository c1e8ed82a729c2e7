import { assert, describe, it } from "@effect/vitest"
import {
  contentCoding,
  firstValue,
  jsonLength,
  unsupportedBody,
} from "../../../src/dataplane/request/requestHead.ts"

describe("a header", () => {
  it("sent more than once counts as it was sent first", () => {
    assert.strictEqual(firstValue(["a", "b"]), "a")
    assert.strictEqual(firstValue("a"), "a")
    for (const none of [undefined, []]) assert.isUndefined(firstValue(none))
  })
})

describe("jsonLength", () => {
  const of = (sent: string | ReadonlyArray<string> | undefined) =>
    jsonLength({ "inference-header-content-length": sent })

  it("is the number of bytes, undefined without the header, NaN when it is no such number", () => {
    assert.isUndefined(of(undefined))
    assert.deepStrictEqual(["0", "007", "123456789012345", ["5"]].map(of), [0, 7, 123456789012345, 5])
    assert.deepStrictEqual(["", "-1", "1e2", " 1", "1234567890123456", []].map(of), Array(6).fill(Number.NaN))
  })
})

describe("contentCoding", () => {
  it("tells codings that are read from those that are not", () => {
    const of = (sent: string | undefined) => contentCoding({ "content-encoding": sent })
    assert.deepStrictEqual([undefined, "identity", " Identity"].map(of), [undefined, undefined, undefined])
    assert.deepStrictEqual(["gzip", "DEFLATE ", "br", "gzip, gzip", ""].map(of), [
      "gzip",
      "deflate",
      "unknown",
      "unknown",
      "unknown",
    ])
  })
})

describe("unsupportedBody", () => {
  it("quotes no more of a header than helps", () => {
    const long = "x".repeat(10_000)
    for (const name of ["content-encoding", "inference-header-content-length"])
      assert.isBelow(unsupportedBody("infer", { [name]: long })?.message.length ?? 0, 200)
    assert.isBelow(unsupportedBody("predict", { "content-type": long })?.message.length ?? 0, 200)
  })
})
