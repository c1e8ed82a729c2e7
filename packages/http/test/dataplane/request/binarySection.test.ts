import { assert, describe, it } from "@effect/vitest"
import { BinarySection, noBinary, splitBody } from "../../../src/dataplane/request/binarySection.ts"

const bytes = Uint8Array.of(1, 2, 3, 4, 5)

describe("the binary section", () => {
  it("gives its bytes in order, where they lie, and no more than there are", () => {
    const section = new BinarySection(bytes)
    assert.deepStrictEqual(section.take(2), Uint8Array.of(1, 2))
    assert.deepStrictEqual(section.take(0), new Uint8Array(0))
    assert.isUndefined(section.take(4))
    assert.strictEqual(section.left, 3)
    const rest = section.take(3)
    assert.deepStrictEqual(rest, Uint8Array.of(3, 4, 5))
    assert.strictEqual(rest?.buffer, bytes.buffer)
    assert.strictEqual(section.left, 0)
    assert.isUndefined(section.take(1))
  })

  it("of a body without one is empty, for everybody", () => {
    assert.isUndefined(noBinary.take(1))
    assert.deepStrictEqual(noBinary.take(0), new Uint8Array(0))
    assert.strictEqual(noBinary.left, 0)
  })
})

describe("splitBody", () => {
  it("takes the JSON off the front", () => {
    const { json, binary } = splitBody(bytes, 2)
    assert.deepStrictEqual([json, binary.left], [Uint8Array.of(1, 2), 3])
    assert.strictEqual(splitBody(bytes, 5).binary.left, 0)
  })

  it("refuses a JSON longer than the body", () => {
    assert.throws(() => splitBody(bytes, 6), /Inference-Header-Content-Length is 6, but the body has 5 bytes/)
  })
})
