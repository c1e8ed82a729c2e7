import { assert, describe, it } from "@effect/vitest"
import type { Datatype, Dimension, Signature } from "@modelforge/core"
import { readRaw } from "../../../src/dataplane/request/rawRequest.ts"
import { refusal } from "../refusal.ts"

const taking = (shape: ReadonlyArray<Dimension>, datatype: Datatype = "FP32"): Signature => ({
  inputs: [{ name: "x", datatype, shape }],
  outputs: [],
})
const shapeOf = (signature: Signature, bytes: number) =>
  readRaw(signature, new Uint8Array(bytes)).inputs["x"]?.shape
const refused = (signature: Signature, bytes: number) =>
  refusal(() => readRaw(signature, new Uint8Array(bytes))).detail ?? ""

describe("a raw request", () => {
  it("is one row of the only input, and wants its outputs as bytes", () => {
    const floats = Float32Array.of(1, 2.5)
    const request = readRaw(taking(["batch", 2]), new Uint8Array(floats.buffer))
    assert.deepStrictEqual(request, {
      id: undefined,
      inputs: { x: { datatype: "FP32", shape: [1, 2], data: floats } },
      outputs: [],
      forms: { listed: new Map(), others: { binary: true, classes: undefined } },
      schedule: { priority: 100 },
    })
  })

  it("fills the one dimension that is free beside the batch", () => {
    assert.deepStrictEqual(shapeOf(taking(["batch", "length"]), 12), [1, 3])
    assert.deepStrictEqual(shapeOf(taking([-1, 3, -1, 2]), 48), [1, 3, 2, 2])
    assert.deepStrictEqual(shapeOf(taking([-1]), 12), [3])
    assert.deepStrictEqual(shapeOf(taking([-1]), 0), [0])
    assert.deepStrictEqual(shapeOf(taking([2, "length"]), 16), [2, 2])
    assert.deepStrictEqual(shapeOf(taking([]), 4), [])
    assert.deepStrictEqual(shapeOf(taking([2, 2]), 16), [2, 2])
  })

  it("of BYTES is a single element, the bytes as they are", () => {
    for (const shape of [[1], [-1], ["batch", 1], ["batch", -1]]) {
      const text = readRaw(taking(shape, "BYTES"), Uint8Array.of(7, 0, 255)).inputs["x"]
      assert.deepStrictEqual(text, {
        datatype: "BYTES",
        shape: shape.map(() => 1),
        data: [Uint8Array.of(7, 0, 255)],
      })
    }
    assert.strictEqual(readRaw(taking([1], "BYTES"), new Uint8Array(0)).inputs["x"]?.data.length, 1)
  })

  it("is refused where the bytes do not make the shape", () => {
    assert.match(refused(taking([2, 2]), 12), /^inputs\.x: unexpected size for input: expected 16 bytes/)
    assert.match(refused(taking(["batch", 2]), 16), /expected 8 bytes for FP32 \[1, 2\], got 16/)
    assert.match(
      refused(taking(["batch", "length"]), 6),
      /unexpected size for input: 6 bytes make no whole number/,
    )
    assert.match(refused(taking([0, -1]), 4), /unexpected size for input/)
    assert.match(refused(taking([2], "BOOL"), 3), /expected 2 bytes for BOOL/)
  })

  it("is refused where the model takes more, or leaves more open", () => {
    const two = { inputs: [...taking([1]).inputs, ...taking([2]).inputs], outputs: [] }
    assert.match(refused(two, 4), /for models of one input, and this one has 2/)
    assert.match(refused({ inputs: [], outputs: [] }, 4), /this one has 0/)
    assert.match(refused(taking(["batch", -1, -1]), 4), /one free dimension at most/)
  })
})
