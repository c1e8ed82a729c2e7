import { assert, it } from "@effect/vitest"
import { Option } from "effect"
import { parseArtifactsUrl } from "../src/artifacts.ts"

it("a URL names any folder, spaces and all", () => {
  const folders = {
    "file:/srv/models": "/srv/models",
    "file:///srv/models": "/srv/models",
    "file:///srv/our%20models": "/srv/our models",
    "file:models": "models",
  }
  for (const [url, directory] of Object.entries(folders))
    assert.deepStrictEqual(parseArtifactsUrl(url), Option.some({ _tag: "Folder" as const, directory }))
})

it("a URL names a bucket", () => {
  assert.deepStrictEqual(
    parseArtifactsUrl("s3://models/a/b"),
    Option.some({ _tag: "S3" as const, bucket: "models", prefix: "a/b" }),
  )
})
