import { duplexPair } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { readingInPlace } from "../../src/runtime/readingInPlace.ts"

describe("readingInPlace", () => {
  it("reads a stream as it is when it has no handle to take over", async () => {
    const [near, far] = duplexPair()
    const read: Array<string> = []
    assert.strictEqual(
      readingInPlace(near, (chunk) => read.push(chunk.toString())),
      near,
    )
    far.write("some")
    far.end("more")
    await new Promise((resolve) => near.once("end", resolve))
    assert.strictEqual(read.join(""), "somemore")
  })
})
