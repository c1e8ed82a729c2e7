import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { exampleModels } from "@modelforge/example-models"
import { Effect, Schema } from "effect"
import { infer } from "../../../http/test/protocol/V2Client.ts"
import { sharedServer } from "./command.ts"
import { predict, send, type Target } from "./http.ts"
import { nestAll, rowsOf, type Vectors, type VectorTensor, vectorsNamed, vectorsOf } from "./vectors.ts"

const server = sharedServer({ args: ["--examples"] })

/** Rows sent one request each, beside the batch of all. */
const singles = [0, 1, 2, 17, 31, 52]

const flatten = (value: unknown): ReadonlyArray<unknown> =>
  Array.isArray(value) ? value.flatMap(flatten) : [value]

const sizes = (value: unknown): ReadonlyArray<number> =>
  Array.isArray(value) ? [value.length, ...sizes(value[0])] : []

const assertElements = (actual: ReadonlyArray<unknown>, { dtype, data }: VectorTensor, name: string) => {
  assert.strictEqual(actual.length, data.length, name)
  if (dtype === "int64") assert.deepStrictEqual(actual, data, name)
  else
    for (const [index, element] of data.entries())
      assert.closeTo(Number(actual[index]), element, 1e-5, `${name}[${index}]`)
}

const check = Effect.fnUntraced(function* (target: Target, vectors: Vectors, from: number, to: number) {
  const expected = rowsOf(vectors.outputs, from, to)
  const { outputs } = yield* predict(target, vectors.model, nestAll(rowsOf(vectors.inputs, from, to)))
  assert.sameMembers(Object.keys(outputs), Object.keys(expected))
  for (const [name, tensor] of Object.entries(expected)) {
    assert.deepStrictEqual(sizes(outputs[name]), [...tensor.shape], name)
    // A relative tolerance is not needed: the largest outputs are some hundreds, and exact to 1e-5 all the same.
    assertElements(flatten(outputs[name]), tensor, name)
  }
  return outputs
})

const InferAnswer = Schema.Struct({
  model_name: Schema.String,
  model_version: Schema.String,
  outputs: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      datatype: Schema.String,
      shape: Schema.Array(Schema.Int),
      data: Schema.Array(Schema.Number),
    }),
  ),
})

const datatypes = { float32: "FP32", int64: "INT64" } as const

const checkV2 = Effect.fnUntraced(function* (target: Target, vectors: Vectors, from: number, to: number) {
  const inputs = Object.entries(rowsOf(vectors.inputs, from, to)).map(([name, { dtype, shape, data }]) => ({
    name,
    datatype: datatypes[dtype],
    shape,
    data,
  }))
  const answer = yield* send(target, "POST", `/v2/models/${vectors.model}/infer`, { json: { inputs } })
  assert.strictEqual(answer.status, 200, answer.bytes.toString())
  const { model_name, model_version, outputs } = yield* Schema.decodeUnknownEffect(InferAnswer)(answer.json)
  assert.strictEqual(model_name, vectors.model)
  assert.strictEqual(model_version, "1")
  const expected = Object.entries(rowsOf(vectors.outputs, from, to))
  assert.deepStrictEqual(
    outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    expected.map(([name, { dtype, shape }]) => ({ name, datatype: datatypes[dtype], shape })),
  )
  for (const [index, [name, tensor]] of expected.entries())
    assertElements(outputs[index]?.data ?? [], tensor, name)
})

/** Sends rows as bytes, with a client that shares no code with the server. */
const checkBinary = Effect.fnUntraced(function* (
  url: string,
  vectors: Vectors,
  from: number,
  to: number,
  compression?: "gzip" | "deflate",
) {
  const answer = yield* Effect.promise(() =>
    infer(
      (body, headers) => fetch(`${url}/v2/models/${vectors.model}/infer`, { method: "POST", body, headers }),
      {
        inputs: Object.entries(rowsOf(vectors.inputs, from, to)).map(([name, { dtype, shape, data }]) => ({
          name,
          datatype: datatypes[dtype],
          shape,
          values: data,
          binary: true,
        })),
        parameters: { binary_data_output: true },
        ...(compression === undefined ? {} : { compression, accept: compression }),
      },
    ),
  )
  assert.strictEqual(answer.status, 200, answer.error)
  const expected = Object.entries(rowsOf(vectors.outputs, from, to))
  assert.deepStrictEqual(
    answer.outputs.map(({ values: _, ...head }) => head),
    expected.map(([name, { dtype, shape }]) => ({ name, datatype: datatypes[dtype], shape, binary: true })),
  )
  for (const [index, [name, tensor]] of expected.entries())
    assertElements(answer.outputs[index]?.values.map(Number) ?? [], tensor, name)
})

describe("held-out vectors over HTTP", () => {
  for (const example of exampleModels) {
    const vectors = vectorsOf(example)
    const rows = vectors.target.length

    it.live(`${example.name}: nested arrays, ${rows} rows in one batch and some one by one`, () =>
      Effect.gen(function* () {
        const { target } = yield* server
        yield* check(target, vectors, 0, rows)
        for (const row of singles) yield* check(target, vectors, row, row + 1)
      }),
    )

    it.live(`${example.name}: V2 tensors, ${rows} rows in one batch and some one by one`, () =>
      Effect.gen(function* () {
        const { target } = yield* server
        yield* checkV2(target, vectors, 0, rows)
        for (const row of singles) yield* checkV2(target, vectors, row, row + 1)
      }),
    )

    it.live(`${example.name}: V2 tensors as bytes, compressed or not, ${rows} rows and some one by one`, () =>
      Effect.gen(function* () {
        const { url } = yield* server
        yield* checkBinary(url, vectors, 0, rows)
        yield* checkBinary(url, vectors, 0, rows, "gzip")
        yield* checkBinary(url, vectors, 0, rows, "deflate")
        for (const row of singles) yield* checkBinary(url, vectors, row, row + 1)
      }),
    )
  }

  const accuracy = Effect.fnUntraced(function* (name: string) {
    const { target } = yield* server
    const vectors = vectorsNamed(name)
    const { outputs } = yield* predict(target, name, nestAll(vectors.inputs))
    const labels = flatten(outputs["label"])
    const right = vectors.target.filter((label, row) => labels[row] === label).length
    return { measured: right / vectors.target.length, recorded: vectors.score }
  })

  it.live("digits and wine are as accurate as when they were trained", () =>
    Effect.gen(function* () {
      const digits = yield* accuracy("digits")
      assert.strictEqual(digits.measured.toFixed(4), "0.9889")
      assert.strictEqual(digits.recorded, 0.9889)
      const wine = yield* accuracy("wine")
      assert.strictEqual(wine.measured, 1)
      assert.strictEqual(wine.recorded, 1)
    }),
  )
})

describe("what the command prints", () => {
  it.live("is the ready line and a prediction to paste, which works", () =>
    Effect.gen(function* () {
      const { stdout, url } = yield* server
      const [ready, line = "", ...rest] = stdout().trimEnd().split("\n")
      assert.strictEqual(ready, `ready ${url}`)
      assert.deepStrictEqual(rest, [])
      assert.match(line, /^Try: curl /)
      const pasted = yield* Effect.promise(() =>
        promisify(execFile)("bash", ["-c", line.replace("Try: ", "")]),
      )
      const answer: unknown = JSON.parse(pasted.stdout)
      assert.deepInclude(answer, { model: "wine", version: 1 })
      assert.deepNestedInclude(answer, { "outputs.label": [0] })
    }),
  )
})
