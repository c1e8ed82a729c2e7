import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { Model, ModelDraft } from "../../src/model/Model.ts"

describe("a draft", () => {
  const isDraft = (draft: unknown) => Option.isSome(Schema.decodeUnknownOption(ModelDraft)(draft))

  it("needs a name only", () => {
    assert.isTrue(isDraft({ name: "digits" }))
    assert.isTrue(isDraft({ name: "digits", description: "", tags: [], labels: {} }))
    assert.isFalse(isDraft({}))
    assert.isFalse(isDraft({ name: "Digits" }))
  })

  it("has texts of bounded length and at most 64 tags", () => {
    const name = "digits"
    assert.isTrue(isDraft({ name, description: "x".repeat(4096) }))
    assert.isFalse(isDraft({ name, description: "x".repeat(4097) }))
    assert.isTrue(isDraft({ name, tags: new Array(64).fill("x".repeat(64)) }))
    assert.isFalse(isDraft({ name, tags: new Array(65).fill("x") }))
    assert.isFalse(isDraft({ name, tags: ["x".repeat(65)] }))
    assert.isFalse(isDraft({ name, tags: [""] }))
    assert.isTrue(isDraft({ name, labels: { team: "x".repeat(256) } }))
    assert.isFalse(isDraft({ name, labels: { team: "x".repeat(257) } }))
    assert.isFalse(isDraft({ name, labels: { team: 5 } }))
  })
})

it("a model goes through JSON and comes back", () => {
  const wire = {
    name: "digits",
    description: "reads digits",
    tags: ["vision"],
    labels: { team: "a" },
    createdAt: "2026-11-23T10:00:00.000Z",
    updatedAt: "2026-11-23T11:00:00.000Z",
    latestVersion: null,
    aliases: { production: 1 },
    traffic: {
      split: [
        { version: "production", weight: 90 },
        { version: 2, weight: 10 },
      ],
      sticky: "header:x-user",
      shadow: [{ version: 3, percent: 0.5 }],
      rollback: { errorRate: 0.1, windowSeconds: 60, minRequests: 20 },
      revision: 4,
      updatedAt: "2026-11-23T11:00:00.000Z",
      updatedBy: null,
    },
    config: { batching: { maxBatchSize: 8 } },
    state: "ready",
  }
  const model = Schema.decodeUnknownSync(Model)(wire)
  assert.instanceOf(model, Model)
  assert.deepStrictEqual(JSON.parse(JSON.stringify(Schema.encodeSync(Model)(model))), wire)
})

it("an alias of a model is a name that points at a number", () => {
  const isModel = (aliases: unknown) =>
    Option.isSome(Schema.decodeUnknownOption(Model.fields.aliases)(aliases))
  assert.isTrue(isModel({ canary: 2 }))
  assert.isFalse(isModel({ canary: 0 }))
})
