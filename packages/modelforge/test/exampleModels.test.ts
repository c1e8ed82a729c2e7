import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { ModelScanner } from "@modelforge/core"
import { exampleModels, wineInputs } from "@modelforge/example-models"
import { OnnxScanner } from "@modelforge/onnx"
import { Effect } from "effect"
import { nest, rowsOf, vectorsNamed, vectorsOf } from "./command/vectors.ts"

const datatypes = { float32: "FP32", int64: "INT64" } as const

describe("the example models", () => {
  for (const example of exampleModels)
    it.effect(`${example.name}: the file's signature is that of its vectors`, () =>
      Effect.gen(function* () {
        const vectors = vectorsOf(example)
        assert.strictEqual(vectors.model, example.name)
        const scan = yield* (yield* ModelScanner).start
        yield* scan.push(readFileSync(example.file))
        const { signature } = yield* scan.finish
        for (const side of ["inputs", "outputs"] as const) {
          assert.deepStrictEqual(
            signature[side].map(({ name, datatype, shape }) => [name, datatype, ...shape.slice(1)]),
            Object.entries(vectors[side]).map(([name, { dtype, shape }]) => [
              name,
              datatypes[dtype],
              ...shape.slice(1),
            ]),
          )
          for (const { shape, data } of Object.values(vectors[side])) {
            assert.strictEqual(shape[0], vectors.target.length)
            assert.lengthOf(
              data,
              shape.reduce((product, size) => product * size, 1),
            )
          }
        }
      }).pipe(Effect.provide(OnnxScanner.layer)),
    )

  it("wineInputs is the first held-out bottle, of class 0", () => {
    const { inputs, target } = vectorsNamed("wine")
    const { features } = rowsOf(inputs, 0, 1)
    assert.deepStrictEqual(wineInputs, { features: nest(features?.data ?? [], features?.shape ?? []) })
    assert.strictEqual(target[0], 0)
  })
})
