import { assert, it } from "@effect/vitest"
import type { Tensor } from "@modelforge/core"
import { largeTexts } from "../../../src/dataplane/json/largeTexts.ts"
import { flatParts } from "../../../src/dataplane/json/tensorJson.ts"

const tensor = (count: number): Tensor => ({ datatype: "UINT8", shape: [count], data: new Uint8Array(count) })
const signal = new AbortController().signal

it("is nothing, and at once, for small outputs and those that are not text", () => {
  const outputs = { small: tensor(10), bytes: tensor(100_000) }
  const texts = largeTexts(outputs, flatParts, signal, (name) => name !== "bytes")
  assert.deepStrictEqual(texts, new Map())
})

it("lets others go on while it writes", async () => {
  const large = tensor(3_000_000)
  let turns = 0
  const beat = setInterval(() => turns++, 1)
  const texts = await largeTexts({ small: tensor(1), large }, flatParts, signal)
  clearInterval(beat)
  assert.isAbove(turns, 2)
  assert.deepStrictEqual([...texts.keys()], ["large"])
  assert.strictEqual(texts.get("large")?.length, 6_000_001)
})

it("stops when its caller has left", async () => {
  const caller = new AbortController()
  const texts = largeTexts({ large: tensor(30_000_000) }, flatParts, caller.signal)
  caller.abort("gone")
  assert.strictEqual(await Promise.resolve(texts).catch((reason: unknown) => reason), "gone")
})

it("rejects with what the text can't hold", async () => {
  const data = Array.from({ length: 10_000 }, () => Uint8Array.of(0xff))
  const texts = largeTexts({ y: { datatype: "BYTES", shape: [10_000], data } }, flatParts, signal)
  const error = await Promise.resolve(texts).catch((reason: unknown) => reason)
  assert.match(String(error), /not UTF-8 text/)
})
