import { assert, it } from "@effect/vitest"
import { Digest } from "@modelforge/core"
import { Option } from "effect"
import { keysOf, parseS3Url } from "../src/S3Location.ts"

it("reads a bucket and a prefix", () => {
  const cases = {
    "s3://models": ["models", ""],
    "s3://models/": ["models", ""],
    "s3://our.models-2/some/prefix": ["our.models-2", "some/prefix"],
    "s3://models//some/prefix//": ["models", "some/prefix"],
  }
  for (const [url, [bucket, prefix]] of Object.entries(cases))
    assert.deepStrictEqual(Option.getOrUndefined(parseS3Url(url)) as object, { bucket, prefix }, url)
})

it("refuses what is no bucket", () => {
  for (const url of [
    "s3:models",
    "s3://",
    "s3://ab",
    "s3://Models",
    "s3://-models",
    "s3://a_b_c",
    "file:/s3://models",
  ])
    assert.isTrue(Option.isNone(parseS3Url(url)), url)
})

it("names objects by their digests, below the prefix", () => {
  const digest = Digest.make("ab".repeat(32))
  const name = `sha256/ab/${digest}`
  assert.strictEqual(keysOf({ bucket: "b", prefix: "" }).artifact(digest), name)
  assert.strictEqual(keysOf({ bucket: "b", prefix: "some/prefix" }).artifact(digest), `some/prefix/${name}`)
})
