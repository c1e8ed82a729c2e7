import { assert, describe, it } from "@effect/vitest"
import { bodyLength, joinBody, leadOf } from "../../../src/dataplane/request/requestBody.ts"

describe("a body in pieces", () => {
  const pieces = [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)]

  it("is put together where it has to be", () => {
    assert.strictEqual(bodyLength(pieces), 3)
    assert.deepStrictEqual(joinBody(pieces), Uint8Array.of(1, 2, 3))
    assert.deepStrictEqual(joinBody([]), new Uint8Array(0))
    assert.strictEqual(joinBody(pieces, 5).byteOffset, 5)
  })

  it("is left where it is when it is one", () => {
    const [only = assert.fail()] = pieces
    assert.strictEqual(joinBody(only, 3), only)
    assert.strictEqual(joinBody([only], 3), only)
    assert.strictEqual(bodyLength(only), 2)
  })
})

describe("leadOf", () => {
  it("puts what follows the JSON at a multiple of 8", () => {
    for (let length = 0; length < 30; length++) {
      assert.strictEqual((leadOf(length) + length) % 8, 0)
      assert.isBelow(leadOf(length), 8)
    }
  })
})
