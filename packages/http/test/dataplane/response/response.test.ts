import { assert, describe, it } from "@effect/vitest"
import {
  BadRequestProblem,
  ModelNotFoundProblem,
  OverloadedProblem,
  UnsupportedFeatureProblem,
  VersionNotFoundProblem,
} from "@modelforge/api"
import { chunksLength, messageV2, renderProblem } from "../../../src/dataplane/response/response.ts"

describe("chunksLength", () => {
  it("is the bytes of all", () => {
    assert.strictEqual(chunksLength([]), 0)
    assert.strictEqual(chunksLength([new Uint8Array(3), new Uint8Array(0), new Uint8Array(4)]), 7)
  })
})

describe("messageV2", () => {
  it("has Triton's words for what does not exist, and ours for the rest", () => {
    assert.strictEqual(
      messageV2(new ModelNotFoundProblem({ model: "m", detail: "d" })),
      "Request for unknown model: 'm' is not found",
    )
    assert.strictEqual(
      messageV2(new VersionNotFoundProblem({ model: "m", version: "9", detail: "d" })),
      "Request for unknown model: 'm' version 9 is not found",
    )
    assert.strictEqual(
      messageV2(new VersionNotFoundProblem({ model: "m", version: null, detail: "d" })),
      "Request for unknown model: 'm' has no available versions",
    )
    assert.strictEqual(messageV2(new BadRequestProblem({ detail: "d" })), "d")
  })
})

describe("renderProblem", () => {
  it("says when to come back where that may help, in whole seconds", () => {
    const overloaded = new OverloadedProblem({ detail: "d" })
    for (const kind of ["predict", "infer"] as const) {
      assert.strictEqual(renderProblem(kind, overloaded, "id", 7).headers["retry-after"], "7")
      assert.strictEqual(renderProblem(kind, overloaded, "id").headers["retry-after"], "1")
      const unsupported = renderProblem(kind, new UnsupportedFeatureProblem({ detail: "d" }), "id")
      assert.strictEqual(unsupported.status, 501)
      assert.notProperty(unsupported.headers, "retry-after")
    }
  })
})
