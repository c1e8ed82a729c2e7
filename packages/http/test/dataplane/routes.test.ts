import { assert, describe, it } from "@effect/vitest"
import { type DataRoute, matchRoute } from "../../src/dataplane/routes.ts"

const predict = (model: string): DataRoute => ({ kind: "predict", model, version: undefined })
const infer = (model: string, version?: string): DataRoute => ({ kind: "infer", model, version })

describe("matchRoute", () => {
  it("knows the paths of predictions", () => {
    assert.deepStrictEqual(matchRoute("/v1/models/digits/predict"), predict("digits"))
    assert.deepStrictEqual(matchRoute("/v2/models/digits/infer"), infer("digits"))
    assert.deepStrictEqual(matchRoute("/v2/models/digits/versions/3/infer"), infer("digits", "3"))
    assert.deepStrictEqual(matchRoute("/v2/models/digits/versions/v1.2.3/infer"), infer("digits", "v1.2.3"))
  })

  it("ignores the query, which some clients send", () => {
    assert.deepStrictEqual(matchRoute("/v2/models/digits/infer?a=1&b=/x"), infer("digits"))
    assert.deepStrictEqual(matchRoute("/v1/models/digits/predict?"), predict("digits"))
  })

  it("decodes percent-encoding once, and takes what is none as it is", () => {
    assert.deepStrictEqual(matchRoute("/v1/models/a%2Db/predict"), predict("a-b"))
    assert.deepStrictEqual(matchRoute("/v2/models/a%2Fb/versions/%70rod/infer"), infer("a/b", "prod"))
    assert.deepStrictEqual(matchRoute("/v2/models/a%252D/infer"), infer("a%2D"))
    assert.deepStrictEqual(matchRoute("/v2/models/%zz/versions/%/infer"), infer("%zz", "%"))
    assert.deepStrictEqual(matchRoute("/v2/models/%ff/infer"), infer("%ff"))
    assert.deepStrictEqual(matchRoute("/v1/models/%C3%A9/predict"), predict("é"))
  })

  it("leaves every other path to the router", () => {
    for (const target of [
      "/",
      "",
      "*",
      "/v1",
      "/v1/models",
      "/v1/models//predict",
      "/v1/models/predict",
      "/v1/models/a/b/predict",
      "/v1/models/a/predict/",
      "/v1/models/a/predict/x",
      "/v1/models/a/versions/1/predict",
      "/V1/models/a/predict",
      "//v1/models/a/predict",
      "/v2/models/a",
      "/v2/models/a/infer/",
      "/v2/models//infer",
      "/v2/models/a/versions//infer",
      "/v2/models/a/versions/1/2/infer",
      "/v2/models/a/versions/infer/x",
      "/v2/models/a%2Finfer",
      "http://localhost/v2/models/a/infer",
      "/x?/v2/models/a/infer",
    ])
      assert.isUndefined(matchRoute(target), target)
  })
})
