import { assert, describe, it } from "@effect/vitest"
import { LoadFailed, RuntimeError } from "@modelforge/core"
import { Effect } from "effect"
import { json, type Mount, mountWeb, withModel } from "../Mount.ts"
import { isV2Error } from "./problems.ts"

const post = { method: "POST" }
const infer = json({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }] })

const index = ({ call }: Mount, body?: string) =>
  call("/v2/repository/index", body === undefined ? post : { method: "POST", body })

describe("the model repository", () => {
  it.effect("lists every version that can be asked, and models without any", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits", ["floats", "long"])
      yield* mount.call("/v1/models", json({ name: "empty" }))
      const all = [
        { name: "digits", version: "1", state: "READY", reason: "" },
        { name: "digits", version: "2", state: "READY", reason: "" },
        { name: "empty", state: "UNAVAILABLE", reason: "no version is ready" },
      ]
      for (const body of [undefined, "", "{}", '{"ready":false}', '{"ready":null}']) {
        const answer = yield* index(mount, body)
        assert.deepStrictEqual([answer.status, answer.json], [200, all], body)
      }
      assert.deepStrictEqual((yield* index(mount, '{"ready":true}')).json, all.slice(0, 2))
      for (const body of ['{"ready":1}', '{"ready":"yes"}', "{", "\0", "[]", "7"])
        isV2Error(yield* index(mount, body), 400, /has to be empty, or JSON/)
    }),
  )

  it.effect("unloads all versions of a model, which is not ready until it is loaded", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const { call } = mount
      yield* withModel(mount, "digits", ["long", "floats"])
      assert.strictEqual((yield* call("/v2/models/digits/infer", infer)).status, 200)
      // As clients send it.
      const parameters = json({ parameters: { unload_dependents: false } })
      const unloaded = yield* call("/v2/repository/models/digits/unload", parameters)
      assert.deepStrictEqual([unloaded.status, unloaded.json], [200, {}])
      assert.deepStrictEqual(
        ((yield* index(mount)).json as Array<{ state: string; reason: string }>).map(({ state }) => state),
        ["UNAVAILABLE", "UNAVAILABLE"],
      )
      for (const path of ["/v2/models/digits/ready", "/v2/models/digits/versions/1/ready"])
        isV2Error(yield* call(path), 503, /is not ready: unloaded by hand/)
      isV2Error(yield* call("/v2/models/digits/infer", infer), 503, /was unloaded: load it again/)
      const loaded = yield* call("/v2/repository/models/digits/load", post)
      assert.deepStrictEqual([loaded.status, loaded.json], [200, {}])
      assert.strictEqual((yield* call("/v2/models/digits/ready")).status, 200)
      assert.strictEqual((yield* call("/v2/models/digits/infer", infer)).status, 200)
      // The version that answers was loaded, the other one was not.
      isV2Error(yield* call("/v2/models/digits/versions/1/ready"), 503, /unloaded by hand/)
    }),
  )

  it.effect("takes no files or configurations, and says so of parameters it can't follow", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      const change = (what: string, body: string) =>
        mount.call(`/v2/repository/models/digits/${what}`, { method: "POST", body })
      for (const name of ["config", "file:1/model.onnx"])
        isV2Error(
          yield* change("load", JSON.stringify({ parameters: { [name]: "x" } })),
          501,
          /^failed to load 'digits': parameters\..*: a load brings nothing here/,
        )
      for (const [what, body] of [
        ["load", "{"],
        ["load", '{"parameters":{"a":{}}}'],
        ["unload", '{"parameters":{"unload_dependents":1}}'],
        ["unload", '{"parameters":7}'],
      ] as const)
        isV2Error(yield* change(what, body), 400, new RegExp(`^failed to ${what} 'digits'`))
      assert.strictEqual((yield* mount.call("/v2/models/digits/ready")).status, 200)
      assert.strictEqual((yield* change("load", '{"parameters":{"other":1}}')).status, 200)
      assert.strictEqual((yield* change("unload", '{"parameters":{"unload_dependents":true}}')).status, 200)
    }),
  )

  it.effect("reads only small bodies", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      const large = { method: "POST", body: " ".repeat(2 ** 20 + 1) }
      for (const path of ["index", "models/digits/load", "models/digits/unload"])
        isV2Error(yield* mount.call(`/v2/repository/${path}`, large), 413, /larger than/)
    }),
  )

  it.effect("says what could not be loaded, and why", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const { call, forge } = mount
      yield* withModel(mount, "digits")
      yield* call("/v1/models", json({ name: "empty" }))
      forge.load = Effect.fail(new RuntimeError({ reason: new LoadFailed({ detail: "no" }) }))
      isV2Error(
        yield* call("/v2/repository/models/digits/load", post),
        503,
        /^failed to load 'digits': .*: no$/,
      )
      isV2Error(yield* call("/v2/models/digits/ready"), 503, /The model could not be loaded: no$/)
      for (const model of ["none", "empty"]) {
        isV2Error(yield* call(`/v2/repository/models/${model}/load`, post), 404, /^failed to load/)
      }
      isV2Error(yield* call("/v2/repository/models/none/unload", post), 404, /^failed to unload/)
      assert.strictEqual((yield* call("/v2/repository/models/empty/unload", post)).status, 200)
    }),
  )
})
