import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { Dimension, formatShape, Signature } from "../../src/model/Signature.ts"
import { signature } from "../fakes.ts"

describe("a dimension", () => {
  it("is a size, -1 for any, or a name", () => {
    const isDimension = (value: unknown) => Option.isSome(Schema.decodeUnknownOption(Dimension)(value))
    for (const dimension of [-1, 0, 1, 2 ** 40, "batch", "2*n"]) assert.isTrue(isDimension(dimension))
    for (const wrong of [-2, 0.5, Number.NaN, "", null]) assert.isFalse(isDimension(wrong), String(wrong))
  })
})

it("shapes are shown to people with ? for any size", () => {
  assert.strictEqual(formatShape(["batch", 3, -1, 0]), "[batch, 3, ?, 0]")
  assert.strictEqual(formatShape([]), "[]")
})

it("a signature goes through JSON and comes back", () => {
  assert.deepStrictEqual(
    Schema.decodeUnknownSync(Signature)(JSON.parse(JSON.stringify(signature))),
    signature,
  )
})

it("inputs and outputs have names and datatypes of the protocol", () => {
  const isSignature = (input: unknown) =>
    Option.isSome(Schema.decodeUnknownOption(Signature)({ inputs: [input], outputs: [] }))
  assert.isTrue(isSignature({ name: "x", datatype: "FP32", shape: [] }))
  assert.isFalse(isSignature({ name: "", datatype: "FP32", shape: [] }))
  assert.isFalse(isSignature({ name: "x", datatype: "float32", shape: [] }))
})
