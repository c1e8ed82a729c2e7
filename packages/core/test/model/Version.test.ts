import { assert, describe, it } from "@effect/vitest"
import { DateTime, Option, Schema } from "effect"
import { Digest, Version, VersionNumber } from "../../src/model/Version.ts"
import { digestOf, signature, summary } from "../fakes.ts"

describe("a version number", () => {
  it("is an integer from 1 to 2^31 - 1", () => {
    for (const number of [1, 2, 2_147_483_647])
      assert.isTrue(Option.isSome(VersionNumber.makeOption(number)), String(number))
    for (const number of [0, -1, 1.5, 2_147_483_648, Number.NaN, Infinity])
      assert.isTrue(Option.isNone(VersionNumber.makeOption(number)), String(number))
    assert.isTrue(Option.isNone(Schema.decodeUnknownOption(VersionNumber)("1")))
  })
})

describe("a digest", () => {
  const digest = digestOf("")

  it("is 64 lower-case hex digits", () => {
    const isDigest = (value: string) => Option.isSome(Digest.makeOption(value))
    assert.isTrue(isDigest(digest))
    for (const wrong of [
      "",
      digest.slice(1),
      `${digest}0`,
      digest.toUpperCase(),
      `${digest}\n`,
      `g${digest.slice(1)}`,
      `../${digest.slice(3)}`,
    ])
      assert.isFalse(isDigest(wrong), JSON.stringify(wrong))
  })

  it("says what it is to be", () => {
    assert.include(
      Schema.decodeUnknownExit(Digest)("sha256:1").toString(),
      "a digest is a SHA-256 of 64 lower-case hex digits",
    )
  })
})

it("a version goes through JSON and comes back", () => {
  const wire = {
    model: "digits",
    version: 3,
    digest: digestOf("model"),
    size: 2 ** 33,
    state: "invalid",
    reason: "unknown operator",
    signature,
    summary,
    createdAt: "2026-11-23T10:00:00.000Z",
    createdBy: null,
    description: "",
  }
  const version = Schema.decodeUnknownSync(Version)(JSON.parse(JSON.stringify(wire)))
  assert.instanceOf(version, Version)
  assert.strictEqual(DateTime.toEpochMillis(version.createdAt), Date.UTC(2026, 10, 23, 10))
  assert.deepStrictEqual(JSON.parse(JSON.stringify(Schema.encodeSync(Version)(version))), wire)
})
