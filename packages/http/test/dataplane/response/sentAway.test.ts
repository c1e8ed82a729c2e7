import { assert, describe, it } from "@effect/vitest"
import { InferenceError, ModelNotFound, Overloaded } from "@modelforge/core"
import { sentAway } from "../../../src/dataplane/response/sentAway.ts"

const overloaded = (retryAfterSeconds: number) =>
  new InferenceError({ reason: new Overloaded({ detail: "no more may wait", retryAfterSeconds }) })

describe("sentAway", () => {
  it("says to each caller the same, with an id of its own, in the words of the plane", () => {
    const error = overloaded(7)
    for (const _ of ["first", "known"])
      for (const id of ["a", "b"]) {
        const { status, headers, body } = sentAway("predict", error, id)
        assert.strictEqual(status, 503)
        assert.deepStrictEqual(headers, {
          "content-type": "application/problem+json",
          "x-request-id": id,
          "retry-after": "7",
        })
        assert.include(JSON.parse(String(body)), { status: 503, detail: "no more may wait" })
        const v2 = sentAway("infer", error, id)
        assert.deepStrictEqual(JSON.parse(String(v2.body)), { error: "no more may wait" })
        assert.strictEqual(v2.headers["x-request-id"], id)
      }
  })

  it("takes no error for another", () => {
    assert.strictEqual(sentAway("predict", overloaded(1), "a").headers["retry-after"], "1")
    assert.strictEqual(sentAway("predict", overloaded(2), "a").headers["retry-after"], "2")
  })

  it("answers what is no overload as what it is", () => {
    const unknown = new InferenceError({ reason: new ModelNotFound({ model: "nose" }) })
    const { status, headers } = sentAway("predict", unknown, "a")
    assert.strictEqual(status, 404)
    assert.notProperty(headers, "retry-after")
  })
})
