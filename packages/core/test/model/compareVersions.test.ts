import { assert, it } from "@effect/vitest"
import { DateTime, Schema } from "effect"
import { compareVersions, VersionComparison } from "../../src/model/compareVersions.ts"
import { ModelName } from "../../src/model/Names.ts"
import { type ModelSummary, Version, VersionNumber } from "../../src/model/Version.ts"
import { digestOf, signature, summary } from "../fakes.ts"

const version = (number: number, fields: Partial<Version> = {}, about: Partial<ModelSummary> = {}) =>
  new Version({
    model: ModelName.make("digits"),
    version: VersionNumber.make(number),
    digest: digestOf(`digits ${number}`),
    size: 100,
    state: "ready",
    reason: null,
    signature,
    summary: { ...summary, ...about },
    createdAt: DateTime.makeUnsafe(0),
    createdBy: null,
    description: "",
    ...fields,
  })

it("versions of the same facts differ in nothing", () => {
  const comparison = compareVersions(version(1), version(2))
  const { compatible, signature, operators, opsets, metadata } = comparison
  assert.deepStrictEqual([compatible, signature, operators, opsets, metadata], [true, [], [], [], []])
  assert.deepStrictEqual(comparison.from, {
    model: ModelName.make("digits"),
    version: VersionNumber.make(1),
    digest: digestOf("digits 1"),
  })
  assert.deepStrictEqual(comparison.size, { from: 100, to: 100 })
  assert.deepStrictEqual(
    Schema.decodeUnknownSync(VersionComparison)(JSON.parse(JSON.stringify(comparison))),
    comparison,
  )
})

it("lists what was added, removed and changed, by name, and both sides of every number", () => {
  const from = version(
    1,
    {},
    {
      operators: { Relu: 2, Conv: 4, Gemm: 1 },
      opsets: { "ai.onnx": 17 },
      metadata: { labels: "a", trained: "2025" },
      parameters: 10,
      nodes: 7,
      irVersion: 8,
      producer: "pytorch 1",
    },
  )
  const to = version(
    2,
    { size: 50 },
    {
      operators: { Relu: 2, Conv: 5, constructor: 1 },
      opsets: { "ai.onnx": 21, "com.microsoft": 1 },
      metadata: { trained: "2026", __proto__: "x" },
      parameters: 20,
      nodes: 8,
      irVersion: 10,
      producer: "pytorch 2",
    },
  )
  const comparison = compareVersions(from, to)
  assert.deepStrictEqual(comparison.operators, [
    { name: "Conv", from: 4, to: 5 },
    { name: "Gemm", from: 1, to: null },
    { name: "constructor", from: null, to: 1 },
  ])
  assert.deepStrictEqual(comparison.opsets, [
    { name: "ai.onnx", from: 17, to: 21 },
    { name: "com.microsoft", from: null, to: 1 },
  ])
  assert.deepStrictEqual(comparison.metadata, [
    { name: "labels", from: "a", to: null },
    { name: "trained", from: "2025", to: "2026" },
  ])
  const { parameters, nodes, size, irVersion, producer } = comparison
  assert.deepStrictEqual(
    [parameters, nodes, size, irVersion],
    [
      { from: 10, to: 20 },
      { from: 7, to: 8 },
      { from: 100, to: 50 },
      { from: 8, to: 10 },
    ],
  )
  assert.deepStrictEqual(producer, { from: "pytorch 1", to: "pytorch 2" })
})

it("is incompatible when a change of the signature breaks callers", () => {
  const other = version(2, { signature: { ...signature, inputs: [] } })
  const forth = compareVersions(version(1), other)
  assert.isFalse(forth.compatible)
  assert.strictEqual(forth.signature[0]?.change, "removed")
  assert.isTrue(compareVersions(other, other).compatible)
})
