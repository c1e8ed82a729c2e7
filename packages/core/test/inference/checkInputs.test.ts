import { assert, describe, it } from "@effect/vitest"
import { checkInputs, listNames } from "../../src/inference/checkInputs.ts"
import type { Datatype } from "../../src/model/Datatype.ts"
import type { Dimension, Signature, TensorSpec } from "../../src/model/Signature.ts"
import { elementCount, type Tensor, type Tensors } from "../../src/model/Tensor.ts"

const spec = (name: string, datatype: Datatype, shape: ReadonlyArray<Dimension>): TensorSpec => ({
  name,
  datatype,
  shape,
})

const floats = (...shape: ReadonlyArray<number>): Tensor => ({
  datatype: "FP32",
  shape,
  data: new Float32Array(elementCount(shape)),
})

const model = (...inputs: ReadonlyArray<TensorSpec>): Signature => ({
  inputs,
  outputs: [spec("scores", "FP32", ["batch", 10]), spec("label", "INT64", ["batch"])],
})

const image = model(spec("image", "FP32", ["batch", 3, -1]))

const said = (signature: Signature, inputs: Tensors, outputs: ReadonlyArray<string> = []) =>
  checkInputs(signature, inputs, outputs).map(({ path, message }) => `${path}: ${message}`)

describe("what fits", () => {
  it("fixed, free and symbolic dimensions, and scalars", () => {
    assert.deepStrictEqual(said(image, { image: floats(2, 3, 7) }), [])
    const scalar = model(spec("threshold", "FP32", []))
    assert.deepStrictEqual(said(scalar, { threshold: floats() }), [])
  })

  it("inputs that agree on a symbolic dimension, and outputs by name in any order", () => {
    const pair = model(spec("a", "FP32", ["batch", "width"]), spec("b", "FP32", ["width", "batch"]))
    assert.deepStrictEqual(said(pair, { b: floats(3, 2), a: floats(2, 3) }, ["label", "scores"]), [])
  })

  it("dimensions of size zero but the batch, and a batch that is always empty", () => {
    const past = model(spec("past", "FP32", ["batch", 8, "past", 64]))
    assert.deepStrictEqual(said(past, { past: floats(4, 8, 0, 64) }), [])
    assert.deepStrictEqual(said(model(spec("nothing", "FP32", [0])), { nothing: floats(0) }), [])
  })

  it("a model without inputs takes none", () => {
    assert.deepStrictEqual(said(model(), {}), [])
  })
})

describe("what does not fit names the input, what was expected and what came", () => {
  it("another datatype", () => {
    const tensor: Tensor = { datatype: "INT64", shape: [1, 3, 1], data: new BigInt64Array(3) }
    assert.deepStrictEqual(said(image, { image: tensor }), [
      "inputs.image: expected FP32 [batch, 3, ?], got INT64 [1, 3, 1]",
    ])
  })

  it("another number of dimensions", () => {
    assert.deepStrictEqual(said(image, { image: floats(3) }), [
      "inputs.image: expected FP32 [batch, 3, ?], got FP32 [3]: the number of dimensions is 1, not 3",
    ])
    assert.deepStrictEqual(said(model(spec("x", "FP32", [])), { x: floats(1) }), [
      "inputs.x: expected FP32 [], got FP32 [1]: the number of dimensions is 1, not 0",
    ])
  })

  it("another size of a fixed dimension", () => {
    assert.deepStrictEqual(said(image, { image: floats(1, 4, 2) }), [
      "inputs.image: expected FP32 [batch, 3, ?], got FP32 [1, 4, 2]: dimension 1 is 4, not 3",
    ])
  })

  it("sizes of one symbolic dimension that differ, across inputs and within one", () => {
    const pair = model(spec("a", "FP32", ["batch", "n", "n"]), spec("b", "FP32", ["batch"]))
    assert.deepStrictEqual(said(pair, { a: floats(2, 3, 4), b: floats(5) }), [
      'inputs.a: expected FP32 [batch, n, n], got FP32 [2, 3, 4]: dimension 2 ("n") is 4, but 3 in input "a"',
      'inputs.b: expected FP32 [batch], got FP32 [5]: dimension 0 ("batch") is 5, but 2 in input "a"',
    ])
  })

  it("an empty batch", () => {
    assert.deepStrictEqual(said(image, { image: floats(0, 3, 2) }), [
      "inputs.image: expected FP32 [batch, 3, ?], got FP32 [0, 3, 2]: the batch is empty, send at least one row",
    ])
  })

  it("sizes that are none, though the signature allows any", () => {
    const free = model(spec("x", "FP32", [-1, "n"]))
    const of = (...shape: ReadonlyArray<number>): Tensors => ({
      x: { datatype: "FP32", shape, data: new Float32Array(6) },
    })
    assert.match(said(free, of(-2, -3))[0] ?? "", /dimension 0 is -2, not an integer from 0$/)
    assert.match(said(free, of(4, 1.5))[0] ?? "", /dimension 1 is 1.5, not an integer from 0$/)
    assert.match(said(free, of(Number.NaN, 1))[0] ?? "", /dimension 0 is NaN, not an integer from 0$/)
  })

  it("more or fewer elements than the shape holds", () => {
    const tensor: Tensor = { datatype: "FP32", shape: [2, 3, 1], data: new Float32Array(5) }
    assert.deepStrictEqual(said(image, { image: tensor }), [
      "inputs.image: expected FP32 [batch, 3, ?], got FP32 [2, 3, 1]: 5 elements, but the shape holds 6",
    ])
  })

  it("an empty tensor that would be millions of rows when it is written out", () => {
    const free = model(spec("x", "FP32", ["rows", "columns"]))
    assert.deepStrictEqual(said(free, { x: floats(65_536, 0) }), [])
    assert.deepStrictEqual(said(free, { x: floats(1_000_000_000, 0) }), [
      "inputs.x: expected FP32 [rows, columns], got FP32 [1000000000, 0]: an empty tensor of more than 65536 rows",
    ])
  })

  it("missing and unknown inputs, all at once", () => {
    const pair = model(spec("a", "FP32", [1]), spec("b", "INT8", []))
    assert.deepStrictEqual(said(pair, { a: floats(1), A: floats(1), bb: floats() }), [
      "inputs.b: missing: expected INT8 []",
      'inputs.A: unknown input: this model takes "a", "b"',
      'inputs.bb: unknown input: this model takes "a", "b"',
    ])
  })

  it("inputs named like members that every object has", () => {
    const odd = model(spec("constructor", "FP32", []), spec("__proto__", "FP32", []))
    assert.deepStrictEqual(said(odd, {}), [
      "inputs.constructor: missing: expected FP32 []",
      "inputs.__proto__: missing: expected FP32 []",
    ])
  })

  it("unknown outputs, and outputs asked for twice", () => {
    assert.deepStrictEqual(said(image, { image: floats(1, 3, 1) }, ["label", "score", "label"]), [
      'outputs[1]: unknown output "score": this model gives "scores", "label"',
      'outputs[2]: output "label" is asked for twice',
    ])
  })
})

describe("a hostile request gets a short answer", () => {
  it("of at most 20 issues, whatever is wrong", () => {
    const inputs = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`x${i}`, floats()]))
    const outputs = Array.from({ length: 100_000 }, (_, i) => (i < 50_000 ? `y${i}` : "label"))
    assert.lengthOf(said(image, inputs), 20)
    assert.lengthOf(said(image, { image: floats(1, 3, 1) }, outputs), 20)
    const wide = model(...Array.from({ length: 30 }, (_, i) => spec(`i${i}`, "FP32", [])))
    assert.lengthOf(said(wide, inputs, outputs), 20)
  })

  it("without looking at what comes after them", () => {
    let looked = 0
    const watched: TensorSpec = {
      datatype: "FP32",
      shape: [],
      get name() {
        looked++
        return "known"
      },
    }
    const many = Array.from({ length: 50_000 }, (_, i) => `x${i}`)
    const inputs = Object.fromEntries(many.map((name) => [name, floats()]))
    checkInputs({ inputs: [watched], outputs: [] }, inputs, [])
    checkInputs({ inputs: [], outputs: [watched] }, {}, many)
    assert.isBelow(looked, 200)
  })

  it("with names and shapes cut", () => {
    const long = "n".repeat(1_000_000)
    const issues = said(image, { image: floats(...new Array<number>(100).fill(1)), [long]: floats() }, [long])
    assert.deepStrictEqual(issues, [
      "inputs.image: expected FP32 [batch, 3, ?], got FP32 of 100 dimensions: the number of dimensions is 100, not 3",
      `inputs.${"n".repeat(80)}…: unknown input: this model takes "image"`,
      `outputs[0]: unknown output "${"n".repeat(80)}…": this model gives "scores", "label"`,
    ])
  })
})

it("names are listed as messages show them", () => {
  assert.strictEqual(listNames(image.outputs), '"scores", "label"')
  assert.strictEqual(listNames([]), "")
})
