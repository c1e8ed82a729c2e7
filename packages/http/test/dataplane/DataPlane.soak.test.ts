/** Hostile bodies are refused, never more. A seeded slice; in full with MODELFORGE_SOAK=1. */
import { assert, it } from "@effect/vitest"
import type { Signature } from "@modelforge/core"
import { Effect } from "effect"
import { type Random, random } from "../../../core/test/random.ts"
import { ask, FakeInference, inferRoute, predictRoute } from "./FakeInference.ts"

const rounds = process.env["MODELFORGE_SOAK"] === "1" ? 300_000 : 3000

const signature: Signature = {
  inputs: [
    { name: "x", datatype: "FP32", shape: ["batch", 2] },
    { name: "i", datatype: "INT64", shape: [-1] },
    { name: "t", datatype: "BYTES", shape: [] },
    { name: "b", datatype: "BOOL", shape: [1] },
  ],
  outputs: [
    { name: "X", datatype: "FP32", shape: ["batch", 2] },
    { name: "I", datatype: "INT64", shape: [-1] },
    { name: "T", datatype: "BYTES", shape: [] },
    { name: "B", datatype: "BOOL", shape: [1] },
  ],
}

const bodies = [
  '{"inputs":{"x":[[1,2.5],[-3,4e2]],"i":[9007199254740993,-1],"t":"a\\"é","b":[true]},"outputs":["X"],"version":3}',
  '{"id":"1","inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[NaN,1]},{"name":"i","datatype":"INT64","shape":[2],"data":[18446744073709551615,0]},{"name":"t","datatype":"BYTES","shape":[],"data":["x"],"parameters":{"a":1}},{"name":"b","datatype":"BOOL","shape":[1],"data":[[false]]}],"outputs":[{"name":"X"}]}',
]

const wild = [
  '"',
  "\\",
  "\\u",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "-",
  "0",
  "1e999",
  "-1",
  "12345678901234567890",
  "NaN",
  "-Infinity",
  "null",
  "true",
  '""',
  "{}",
  "[]",
  "[[[[[[[[[[",
  "\u0000",
  "\ud800",
  '"__proto__"',
  '"shape":[-1]',
  '"shape":[4503599627370496]',
  '"data":[]',
  "1.5",
]

const mutate = (body: string, dice: Random): string => {
  let text = body
  for (let count = 1 + dice.int(4); count > 0; count--) {
    const at = dice.int(text.length + 1)
    const value = /(?:"[^"]*"|-?\d[\d.e]*|true|false|null)/g
    value.lastIndex = at
    const token = dice.int(2) === 0 ? value.exec(text) : null
    const [start, length] = token === null ? [at, dice.int(4)] : [token.index, token[0].length]
    text = text.slice(0, start) + dice.pick(wild) + text.slice(start + length)
  }
  return text
}

const hostile = (dice: Random): Uint8Array => {
  const kind = dice.int(4)
  if (kind === 0) return Uint8Array.from({ length: dice.int(60) }, () => dice.int(256))
  const bytes = new TextEncoder().encode(mutate(dice.pick(bodies), dice))
  if (kind === 1)
    for (let flips = 1 + dice.int(4); flips > 0; flips--) bytes[dice.int(bytes.length)] = dice.int(256)
  return kind === 2 ? bytes.subarray(0, dice.int(bytes.length + 1)) : bytes
}

it.effect("no body makes the data plane fail or reject", () =>
  Effect.gen(function* () {
    const inference = new FakeInference()
    inference.signature = signature
    const dataPlane = yield* inference.dataPlane()
    const statuses = new Set<number>()
    for (let seed = 0; seed < rounds; seed++) {
      const body = hostile(random(seed))
      for (const route of [predictRoute, inferRoute]) {
        const answer = yield* Effect.promise(() => ask(dataPlane, body, { route }))
        assert.isBelow(answer.status, 500, `seed ${seed}, ${route.kind}: ${answer.body}`)
        assert.isBelow(answer.body.length, 20_000, `seed ${seed}, ${route.kind}`)
        statuses.add(answer.status)
      }
    }
    assert.deepStrictEqual(inference.logs, [])
    // Without some of each, the mutations would prove nothing.
    assert.includeMembers([...statuses], [200, 400, 422])
  }),
)

it.effect("nesting of any depth is refused, wherever it stands", () =>
  Effect.gen(function* () {
    const inference = new FakeInference()
    inference.signature = signature
    const dataPlane = yield* inference.dataPlane()
    const deep = `${"[".repeat(100_000)}12345678901234567890${"]".repeat(100_000)}`
    for (const text of [deep, `{"a":`.repeat(100_000), `{"inputs":${deep}}`, `{"inputs":{"x":${deep}}}`])
      for (const route of [predictRoute, inferRoute]) {
        const answer = yield* Effect.promise(() => ask(dataPlane, text, { route }))
        assert.include([400, 422], answer.status)
      }
    for (const member of ["name", "datatype", "shape", "data", "parameters"]) {
      const input = `{"name":"x","datatype":"FP32","shape":[1],"data":[1],"${member}":${deep}}`
      const answer = yield* Effect.promise(() =>
        ask(dataPlane, `{"inputs":[${input}]}`, { route: inferRoute }),
      )
      assert.strictEqual(answer.status, 400, member)
    }
    assert.deepStrictEqual(inference.logs, [])
  }),
)
