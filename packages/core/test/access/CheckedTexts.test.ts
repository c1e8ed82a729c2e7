import { assert, it } from "@effect/vitest"
import { CheckedTexts } from "../../src/access/CheckedTexts.ts"

const digest = (byte: number) => new Uint8Array(32).fill(byte)

it("a text is known for as long as it is used, and a minute or two longer", () => {
  const texts = new CheckedTexts()
  assert.isUndefined(texts.digestOf("a", 0))
  texts.remember("a", digest(1))
  texts.remember("b", digest(2))
  for (let now = 0; now < 600_000; now += 30_000) assert.deepStrictEqual(texts.digestOf("a", now), digest(1))
  assert.isUndefined(texts.digestOf("b", 600_000))
  assert.deepStrictEqual(texts.digestOf("a", 659_999), digest(1))
  assert.isUndefined(texts.digestOf("a", 900_000))
})

it("there are never more than twice a thousand of them, and those in use stay", () => {
  const texts = new CheckedTexts()
  texts.digestOf("used", 0)
  texts.remember("used", digest(1))
  for (let index = 0; index < 5000; index++) {
    assert.isUndefined(texts.digestOf(`text ${index}`, 0))
    texts.remember(`text ${index}`, digest(2))
    assert.deepStrictEqual(texts.digestOf("used", 0), digest(1))
  }
  const known = Array.from({ length: 5000 }, (_, index) => texts.digestOf(`text ${index}`, 0))
  assert.isAtMost(known.filter((digest) => digest !== undefined).length, 2048)
})
