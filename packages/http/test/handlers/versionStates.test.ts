import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { type Answer, json, mountWeb, onnx, upload, withModel } from "../Mount.ts"
import { body, isProblem } from "./problems.ts"

const numbers = (answer: Answer): ReadonlyArray<unknown> => {
  const { items } = body(answer)
  return Array.isArray(items) ? items.map(({ version }) => version) : []
}

describe("versions", () => {
  it.effect("are listed by their state, page after page", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits", ["floats", "floats", "floats", "floats"])
      for (const version of [1, 2, 4])
        yield* mount.call(`/v1/models/digits/versions/${version}/archive`, { method: "POST" })
      const list = (query: string) => mount.call(`/v1/models/digits/versions?${query}`)
      assert.deepStrictEqual(numbers(yield* list("state=ready")), [3])
      const first = yield* list("state=archived&limit=2")
      assert.deepStrictEqual(numbers(first), [4, 2])
      const rest = yield* list(`state=archived&limit=2&cursor=${body(first)["nextCursor"]}`)
      assert.deepStrictEqual(numbers(rest), [1])
      assert.deepStrictEqual(numbers(yield* list("state=invalid")), [])
      isProblem(yield* list("state=good"), 400, "bad-request")
    }),
  )

  it.effect("are archived unless an alias points at them, and restored", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits", ["floats", "floats"])
      const post = (path: string) => mount.call(`/v1/models/digits/versions/${path}`, { method: "POST" })
      const predict = (version: number) =>
        mount.call("/v1/models/digits/predict", json({ inputs: { x: [[1, 2]] }, version }))
      yield* mount.call("/v1/models/digits/aliases/production", json({ version: 1 }, "PUT"))
      isProblem(yield* post("1/archive"), 409, "version-conflict", {
        detail: /aliases first \("production"\)/,
      })
      for (const _again of [1, 2]) {
        const archived = yield* post("2/archive")
        assert.strictEqual(archived.status, 200)
        assert.deepInclude(body(archived), { version: 2, state: "archived", reason: null })
      }
      isProblem(yield* predict(2), 503, "unavailable", { detail: /it is archived/ })
      isProblem(
        yield* mount.call("/v1/models/digits/aliases/production", json({ version: 2 }, "PUT")),
        409,
        "version-conflict",
      )
      for (const _again of [1, 2])
        assert.deepInclude(body(yield* post("2/restore")), { version: 2, state: "ready" })
      assert.strictEqual((yield* predict(2)).status, 200)
      for (const path of ["9/archive", "9/restore", "canary/archive"])
        isProblem(yield* post(path), 404, "version-not-found")
      isProblem(
        yield* mount.call("/v1/models/no/versions/1/archive", { method: "POST" }),
        404,
        "model-not-found",
      )
    }),
  )

  it.effect("are not archived before they are ready", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb({ validationPatience: Duration.zero })
      mount.forge.trial = Effect.never
      yield* mount.call("/v1/models/digits/versions?create=true", upload(onnx()))
      for (const verb of ["archive", "restore"])
        isProblem(
          yield* mount.call(`/v1/models/digits/versions/1/${verb}`, { method: "POST" }),
          409,
          "version-conflict",
          { detail: /version 1 of model "digits" is validating/ },
        )
    }),
  )
})
