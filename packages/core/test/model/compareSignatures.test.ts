import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import fc from "fast-check"
import { compareSignatures, SignatureChange } from "../../src/model/compareSignatures.ts"
import type { Datatype } from "../../src/model/Datatype.ts"
import type { Dimension, Signature, TensorSpec } from "../../src/model/Signature.ts"

const spec = (name: string, shape: ReadonlyArray<Dimension>, datatype: Datatype = "FP32"): TensorSpec => ({
  name,
  datatype,
  shape,
})

const signature = (
  inputs: ReadonlyArray<TensorSpec>,
  outputs: ReadonlyArray<TensorSpec> = [],
): Signature => ({
  inputs,
  outputs,
})

/** `input x shape breaking`, one line a change. */
const changes = (from: Signature, to: Signature) =>
  compareSignatures(from, to).map(
    ({ tensor, name, change, breaking }) =>
      `${tensor} ${name} ${change} ${breaking ? "breaking" : "compatible"}`,
  )

const ofInput = (from: ReadonlyArray<Dimension>, to: ReadonlyArray<Dimension>) =>
  changes(signature([spec("x", from)]), signature([spec("x", to)]))

const ofOutput = (from: ReadonlyArray<Dimension>, to: ReadonlyArray<Dimension>) =>
  changes(signature([], [spec("y", from)]), signature([], [spec("y", to)]))

const breaking = ["input x shape breaking"]
const compatible = ["input x shape compatible"]

it("equal signatures have no differences, in whatever order their tensors come", () => {
  const a = spec("a", ["batch", 3, -1])
  const b = spec("b", [], "BYTES")
  assert.deepStrictEqual(changes(signature([a, b], [a, b]), signature([b, a], [b, a])), [])
})

it("every change of inputs' names breaks callers", () => {
  const [a, b] = [spec("a", [1]), spec("b", [1])]
  assert.deepStrictEqual(changes(signature([a]), signature([a, b])), ["input b added breaking"])
  assert.deepStrictEqual(changes(signature([a, b]), signature([a])), ["input b removed breaking"])
  assert.deepStrictEqual(changes(signature([a]), signature([b])), [
    "input a removed breaking",
    "input b added breaking",
  ])
})

it("an output may be added, not removed or renamed", () => {
  const [a, b] = [spec("a", [1]), spec("b", [1])]
  assert.deepStrictEqual(changes(signature([], [a]), signature([], [a, b])), ["output b added compatible"])
  assert.deepStrictEqual(changes(signature([], [a, b]), signature([], [b])), ["output a removed breaking"])
  assert.deepStrictEqual(changes(signature([], [a]), signature([], [b])), [
    "output a removed breaking",
    "output b added compatible",
  ])
})

it("another datatype breaks callers on both sides, and is told apart from another shape", () => {
  assert.deepStrictEqual(
    changes(
      signature([spec("x", [1], "FP32")], [spec("y", [1], "INT64")]),
      signature([spec("x", [-1], "FP64")], [spec("y", [1], "INT32")]),
    ),
    ["input x datatype breaking", "input x shape compatible", "output y datatype breaking"],
  )
})

describe("the shape of an input", () => {
  it("may take more sizes", () => {
    assert.deepStrictEqual(ofInput([1, 4], [-1, 4]), compatible)
    assert.deepStrictEqual(ofInput([1, 4], ["batch", 4]), compatible)
    assert.deepStrictEqual(ofInput(["batch", 4], [-1, 4]), compatible)
    assert.deepStrictEqual(ofInput([-1, 4], ["batch", 4]), compatible)
    assert.deepStrictEqual(ofInput(["batch", 4], ["n", 4]), compatible)
    assert.deepStrictEqual(ofInput(["n", "n"], ["a", "b"]), compatible)
    assert.deepStrictEqual(ofInput([4, 4], ["n", "n"]), compatible)
  })

  it("may not take fewer", () => {
    assert.deepStrictEqual(ofInput(["batch", 4], [1, 4]), breaking)
    assert.deepStrictEqual(ofInput([-1], [0]), breaking)
    assert.deepStrictEqual(ofInput([3], [4]), breaking)
    assert.deepStrictEqual(ofInput([-1, 4], [-1, 4, 1]), breaking)
    assert.deepStrictEqual(ofInput([1], []), breaking)
  })

  it("may not tie dimensions together that could differ", () => {
    assert.deepStrictEqual(ofInput(["a", "b"], ["n", "n"]), breaking)
    assert.deepStrictEqual(ofInput([-1, -1], ["n", "n"]), breaking)
    assert.deepStrictEqual(ofInput([3, 4], ["n", "n"]), breaking)
  })

  it("is tied to the other inputs, and only the changed one is to blame", () => {
    const from = signature([spec("a", ["n", 1]), spec("b", ["m"]), spec("c", ["n", 4])])
    const to = signature([spec("a", ["n", 1]), spec("b", ["n"]), spec("c", ["n", -1])])
    assert.deepStrictEqual(changes(from, to), ["input b shape breaking", "input c shape compatible"])
    assert.deepStrictEqual(changes(to, from), ["input b shape compatible", "input c shape breaking"])
  })
})

it("an output keeps its number of dimensions and its fixed sizes", () => {
  assert.deepStrictEqual(ofOutput([1, 3], [1, 3, 1]), ["output y shape breaking"])
  assert.deepStrictEqual(ofOutput(["batch", 3], ["batch", 4]), ["output y shape breaking"])
  assert.deepStrictEqual(ofOutput([1, 3], ["batch", 3]), ["output y shape compatible"])
  assert.deepStrictEqual(ofOutput(["batch", 3], ["n", 3]), ["output y shape compatible"])
})

it("says to people what changed and why it breaks callers", () => {
  const from = signature([spec("x", ["batch", 4], "FP32"), spec("old", [1])], [spec("y", [3])])
  const to = signature([spec("x", [8, 4], "FP64"), spec("new", [1])], [spec("y", [-1])])
  assert.deepStrictEqual(
    compareSignatures(from, to).map(({ detail }) => detail),
    [
      'The input "old" was removed',
      'The datatype of the input "x" was FP32 and is FP64',
      'The shape of the input "x" was [batch, 4] and is [8, 4]: dimension 0 takes only the size 8',
      'The input "new" was added, which callers do not send yet',
      'The shape of the output "y" was [3] and is [?]',
    ],
  )
  for (const change of compareSignatures(from, to)) {
    assert.deepStrictEqual(
      Schema.decodeUnknownSync(SignatureChange)(JSON.parse(JSON.stringify(change))),
      change,
    )
  }
})

describe("a change of shapes breaks exactly when some shapes are no longer taken", () => {
  const dimension = fc.constantFrom<Dimension>(1, 2, -1, "a", "b")
  const shapes = fc.array(dimension, { minLength: 4, maxLength: 4 })
  const split = (dimensions: ReadonlyArray<Dimension>) =>
    signature([spec("x", dimensions.slice(0, 2)), spec("y", dimensions.slice(2))])

  const takes = (dimensions: ReadonlyArray<Dimension>, sizes: ReadonlyArray<number>) => {
    const bound = new Map<string, number>()
    return dimensions.every((dimension, index) => {
      const size = sizes[index] ?? 0
      if (typeof dimension === "number") return dimension === -1 || dimension === size
      if (!bound.has(dimension)) bound.set(dimension, size)
      return bound.get(dimension) === size
    })
  }
  const allSizes = Array.from({ length: 4 ** 4 }, (_, n) =>
    [0, 1, 2, 3].map((digit) => (n >> (2 * digit)) & 3),
  )

  it("for any two shapes of two inputs", () => {
    fc.assert(
      fc.property(shapes, shapes, (from, to) => {
        const fewer = allSizes.some((sizes) => takes(from, sizes) && !takes(to, sizes))
        assert.strictEqual(
          compareSignatures(split(from), split(to)).some((change) => change.breaking),
          fewer,
        )
      }),
      { numRuns: 1000 },
    )
  })
})
