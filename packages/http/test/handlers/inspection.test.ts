import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mountWeb, onnx, upload, withModel } from "../Mount.ts"
import { graph } from "../TestForge.ts"
import { body, isProblem } from "./problems.ts"

const create = "/v1/models/digits/versions?create=true"

describe("a graph", () => {
  const path = "/v1/models/digits/versions/1/graph"

  it.effect("is given as it was drawn, with the digest of the file as its tag", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const made = body(yield* call(`${create}&alias=production`, upload(onnx())))
      for (const ref of ["1", "production"]) {
        const answer = yield* call(`/v1/models/digits/versions/${ref}/graph`)
        assert.strictEqual(answer.status, 200, answer.text)
        assert.strictEqual(answer.headers.get("content-type"), "application/json")
        assert.strictEqual(answer.headers.get("etag"), `"${made["digest"]}"`)
        assert.strictEqual(answer.headers.get("cache-control"), "private, no-cache")
        assert.deepStrictEqual(body(answer), { ...graph })
      }
    }),
  )

  it.effect("is not sent again to those who have it", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const etag = `"${body(yield* call(create, upload(onnx())))["digest"]}"`
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
        const answer = yield* call(path, { headers: { "if-none-match": known } })
        assert.deepStrictEqual(
          [answer.status, answer.text, answer.headers.get("etag")],
          [304, "", etag],
          known,
        )
      }
      for (const other of ['"other"', etag.slice(1, -1)]) {
        assert.strictEqual((yield* call(path, { headers: { "if-none-match": other } })).status, 200, other)
      }
    }),
  )

  it.effect("of what does not exist is a 404, also to those who would take anything as known", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      isProblem(yield* mount.call("/v1/models/nope/versions/1/graph"), 404, "model-not-found")
      const request = { headers: { "if-none-match": "*" } }
      isProblem(yield* mount.call("/v1/models/digits/versions/7/graph", request), 404, "version-not-found")
    }),
  )

  it.effect("that an older release did not keep is a 404 that says what to do", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb()
      yield* call(create, upload(onnx()))
      forge.graphs = "forgotten"
      const answer = yield* call(path)
      isProblem(answer, 404, "graph-not-found")
      assert.deepInclude(body(answer), { model: "digits", version: 1 })
      assert.match(String(body(answer)["detail"]), /upload its file again/)
    }),
  )
})

describe("a comparison", () => {
  it.effect("says what differs, by number or alias, also with a version of another model", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      yield* call(create, upload(onnx("floats", "1")))
      yield* call(`${create}&alias=production`, upload(onnx("floats", "22")))
      yield* call("/v1/models/other/versions?create=true", upload(onnx("text")))
      const same = body(yield* call("/v1/models/digits/versions/1/compare?to=production"))
      assert.deepInclude(same, { compatible: true, signature: [], operators: [], metadata: [] })
      assert.deepInclude(same["to"], { model: "digits", version: 2 })
      assert.deepStrictEqual(same["size"], {
        from: onnx("floats", "1").length,
        to: onnx("floats", "22").length,
      })
      const other = body(yield* call("/v1/models/digits/versions/1/compare?to=1&toModel=other"))
      assert.deepInclude(other["to"], { model: "other", version: 1 })
      assert.strictEqual(other["compatible"], false)
      const changes = other["signature"]
      assert.isTrue(Array.isArray(changes) && changes.some(({ breaking }) => breaking === true))
    }),
  )

  it.effect("needs two versions that exist", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      yield* call(create, upload(onnx()))
      const path = "/v1/models/digits/versions/1/compare"
      isProblem(yield* call(path), 400, "bad-request")
      isProblem(yield* call(`${path}?to=`), 400, "bad-request")
      isProblem(yield* call(`${path}?to=2`), 404, "version-not-found")
      isProblem(yield* call(`${path}?to=1&toModel=nope`), 404, "model-not-found")
      isProblem(yield* call("/v1/models/digits/versions/3/compare?to=1"), 404, "version-not-found")
    }),
  )
})
