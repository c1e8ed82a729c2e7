import { assert, describe, it } from "@effect/vitest"
import { Ajv2020 } from "ajv/dist/2020.js"
import { Effect } from "effect"
import { json, mountWeb, onnx, upload, withModel } from "../Mount.ts"
import { signatures } from "../TestForge.ts"
import { isProblem } from "./problems.ts"

type Operation = {
  readonly requestBody: { readonly content: Record<string, { schema: object; example: unknown }> }
  readonly responses: Record<string, { content: Record<string, { schema: object }> }>
}
interface Document {
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, { readonly post: Operation }>>
}

const ajv = new Ajv2020({ strict: false, validateFormats: false })

const check = (schema: object | undefined, value: unknown, what: string) => {
  assert.isTrue(ajv.validate(schema ?? false, value), `${what}: ${ajv.errorsText()}`)
}

describe("the description of a model", () => {
  it.effect("has an example for every datatype that works, on both planes", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const names = Object.keys(signatures).filter((one) => one !== "large")
      for (const [index, name] of names.entries()) {
        yield* withModel(mount, name, [name])
        // Both kinds of document, in turn: compiling schemas takes its time.
        for (const path of [`/v1/models/${name}${index % 2 === 0 ? "" : "/versions/1"}`]) {
          const described = yield* mount.call(`${path}/openapi.json`)
          assert.strictEqual(described.status, 200, described.text)
          assert.strictEqual(described.headers.get("content-type"), "application/json")
          const { info, paths } = described.json as Document
          assert.deepStrictEqual([info.title, info.version], [name, "1"])
          assert.lengthOf(Object.keys(paths), 2)
          for (const [target, { post }] of Object.entries(paths)) {
            const media = post.requestBody.content["application/json"]
            check(media?.schema, media?.example, target)
            const answer = yield* mount.call(target, json(media?.example))
            assert.strictEqual(answer.status, 200, `${target} ${answer.text}`)
            check(post.responses["200"]?.content["application/json"]?.schema, answer.json, target)
          }
        }
      }
    }),
  )

  it.effect("is that of the version that answers, else of the one asked for, and 304 while it is known", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits", ["floats", "text"])
      const path = "/v1/models/digits/openapi.json"
      const version = Effect.map(mount.call(path), ({ json }) => (json as Document).info.version)
      assert.strictEqual(yield* version, "2")
      const etag = (yield* mount.call(path)).headers.get("etag") ?? ""
      const again = yield* mount.call(path, { headers: { "if-none-match": etag } })
      assert.deepStrictEqual([again.status, again.text, again.headers.get("etag")], [304, "", etag])
      yield* mount.call("/v1/models/digits/aliases/production", json({ version: 1 }, "PUT"))
      assert.strictEqual(yield* version, "1")
      assert.strictEqual((yield* mount.call(path, { headers: { "if-none-match": etag } })).status, 200)
      const aliased = yield* mount.call("/v1/models/digits/versions/production/openapi.json")
      assert.strictEqual((aliased.json as Document).info.version, "1")
    }),
  )

  it.effect("shows no example of more elements than anybody reads", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const made = yield* mount.call("/v1/models/big/versions?create=true", upload(onnx("large")))
      assert.strictEqual(made.status, 201, made.text)
      const described = yield* mount.call("/v1/models/big/openapi.json")
      for (const { post } of Object.values((described.json as Document).paths))
        assert.isUndefined(post.requestBody.content["application/json"]?.example)
    }),
  )

  it.effect("is 404 where there is no model, or none of its versions is ready", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      yield* call("/v1/models", json({ name: "empty" }))
      isProblem(yield* call("/v1/models/empty/openapi.json"), 404, "version-not-found")
      isProblem(yield* call("/v1/models/empty/versions/1/openapi.json"), 404, "version-not-found")
      isProblem(yield* call("/v1/models/nope/openapi.json"), 404, "model-not-found")
    }),
  )
})
