import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Answer, json, type Mount, mountWeb, withModel } from "../Mount.ts"
import { isProblem } from "./problems.ts"

const model = "/v1/models/digits"

const mountModel = Effect.gen(function* () {
  const mount = yield* mountWeb()
  yield* withModel(mount, "digits", ["floats", "floats"])
  yield* mount.call(`${model}/aliases/production`, json({ version: 1 }, "PUT"))
  yield* mount.call(`${model}/aliases/canary`, json({ version: 1 }, "PUT"))
  return mount
})

const etagOf = (answer: Answer): string => {
  const etag = answer.headers.get("etag") ?? ""
  assert.match(etag, /^"[\w.-]+"$/, answer.text)
  return etag
}

const given = (init: RequestInit, headers: Record<string, string>): RequestInit => ({
  ...init,
  headers: { ...init.headers, ...headers },
})

const split = (weight: number) => ({
  split: [
    { version: 1, weight },
    { version: 2, weight: 100 - weight },
  ],
})

/** Everything that has a tag, and a change of it for every number. */
const resources: Readonly<Record<string, { path: string; change: (n: number) => RequestInit }>> = {
  model: { path: model, change: (n) => json({ description: `${n}` }, "PATCH") },
  config: { path: `${model}/config`, change: (n) => json({ instances: n }, "PUT") },
  version: { path: `${model}/versions/2`, change: (n) => json({ description: `${n}` }, "PATCH") },
  alias: { path: `${model}/aliases/canary`, change: (n) => json({ version: 1 + (n % 2) }, "PUT") },
  traffic: { path: `${model}/traffic`, change: (n) => json(split(n), "PUT") },
}

const mountTraffic = Effect.tap(mountModel, ({ call }: Mount) =>
  call(`${model}/traffic`, json(split(50), "PUT")),
)

describe("a read", () => {
  it.effect("has a tag that is another after a change, and is 304 for who knows it", () =>
    Effect.gen(function* () {
      const { call } = yield* mountTraffic
      for (const [name, { path, change }] of Object.entries(resources)) {
        const etag = etagOf(yield* call(path))
        assert.strictEqual(etagOf(yield* call(path)), etag)
        for (const known of [etag, `"other", ${etag}`, `W/${etag}`, "*"]) {
          const answer = yield* call(path, { headers: { "if-none-match": known } })
          assert.deepStrictEqual(
            [answer.status, answer.text, answer.headers.get("etag")],
            [304, "", etag],
            name,
          )
        }
        const changed = yield* call(path, change(7))
        assert.strictEqual(changed.status, 200, changed.text)
        const next = etagOf(yield* call(path, { headers: { "if-none-match": etag } }))
        assert.notStrictEqual(next, etag)
        assert.strictEqual(etagOf(changed), next, name)
      }
    }),
  )

  it.effect("of a model has another tag when its aliases or versions change", () =>
    Effect.gen(function* () {
      const { call } = yield* mountModel
      const before = etagOf(yield* call(model))
      yield* call(`${model}/aliases/canary`, { method: "DELETE" })
      assert.notStrictEqual(etagOf(yield* call(model)), before)
    }),
  )

  it.effect("of a version has another tag when it is loaded, which no change depends on", () =>
    Effect.gen(function* () {
      const { call } = yield* mountModel
      const path = `${model}/versions/2`
      const before = etagOf(yield* call(path))
      yield* call(`${path}/load`, { method: "POST" })
      assert.notStrictEqual(etagOf(yield* call(path)), before)
      const changed = yield* call(path, given(json({ description: "x" }, "PATCH"), { "if-match": before }))
      assert.strictEqual(changed.status, 200, changed.text)
    }),
  )

  it.effect("of a missing thing is 404 whatever is known", () =>
    Effect.gen(function* () {
      const { call } = yield* mountModel
      for (const [path, name] of [
        ["/v1/models/other", "model-not-found"],
        [`${model}/versions/9`, "version-not-found"],
        [`${model}/aliases/other`, "alias-not-found"],
        [`${model}/aliases/-`, "alias-not-found"],
        ["/v1/models/other/aliases/canary", "model-not-found"],
        [`${model}/traffic`, "traffic-not-found"],
      ] as const)
        isProblem(yield* call(path, { headers: { "if-none-match": "*" } }), 404, name)
    }),
  )
})

describe("a change", () => {
  it.effect("is made only to what its sender knows", () =>
    Effect.gen(function* () {
      const { call } = yield* mountTraffic
      for (const [name, { path, change }] of Object.entries(resources)) {
        const known = etagOf(yield* call(path))
        const first = yield* call(path, given(change(11), { "if-match": `"other", ${known}` }))
        assert.strictEqual(first.status, 200, `${name} ${first.text}`)
        const refused = yield* call(path, given(change(12), { "if-match": known }))
        isProblem(refused, 412, "precondition-failed", { detail: /changed since it was read/ })
        // The tag in the problem is good for the next attempt.
        const { etag } = refused.json as { readonly etag: string }
        assert.strictEqual((yield* call(path, given(change(13), { "if-match": etag }))).status, 200, name)
        // By the strong comparison, a weak tag is nobody's.
        const present = etagOf(yield* call(path))
        isProblem(
          yield* call(path, given(change(14), { "if-match": `W/${present}` })),
          412,
          "precondition-failed",
        )
        assert.strictEqual((yield* call(path, given(change(15), { "if-match": "*" }))).status, 200, name)
      }
    }),
  )

  it.effect("of many at once with the same tag is made once", () =>
    Effect.gen(function* () {
      const { call } = yield* mountModel
      const known = etagOf(yield* call(model))
      const answers = yield* Effect.forEach(
        [1, 2, 3, 4, 5, 6],
        (n) => call(model, given(json({ description: `${n}` }, "PATCH"), { "if-match": known })),
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(answers.map(({ status }) => status).sort(), [200, 412, 412, 412, 412, 412])
    }),
  )

  it.effect("deletes only what its sender knows", () =>
    Effect.gen(function* () {
      const { call } = yield* mountTraffic
      const remove = (path: string, tag: string) =>
        call(path, { method: "DELETE", headers: { "if-match": tag } })
      for (const path of [`${model}/traffic`, `${model}/aliases/canary`, `${model}/versions/2`, model]) {
        isProblem(yield* remove(path, '"other"'), 412, "precondition-failed")
        assert.strictEqual((yield* remove(path, etagOf(yield* call(path)))).status, 204, path)
        assert.strictEqual((yield* remove(path, "*")).status, 404, path)
      }
    }),
  )

  it.effect("makes an alias or a policy only if there is none", () =>
    Effect.gen(function* () {
      const { call } = yield* mountModel
      for (const [path, change] of [
        [`${model}/aliases/fresh`, json({ version: 1 }, "PUT")],
        [`${model}/traffic`, json(split(40), "PUT")],
      ] as const) {
        isProblem(yield* call(path, given(change, { "if-match": "*" })), 412, "precondition-failed", {
          etag: null,
        })
        assert.strictEqual((yield* call(path, given(change, { "if-none-match": "*" }))).status, 200, path)
        isProblem(yield* call(path, given(change, { "if-none-match": "*" })), 412, "precondition-failed", {
          detail: /only if there is none/,
        })
        const both = { "if-none-match": "*", "if-match": "*" }
        isProblem(yield* call(path, given(change, both)), 412, "precondition-failed")
      }
    }),
  )

  it.effect("with a tag that is none is refused", () =>
    Effect.gen(function* () {
      const { call } = yield* mountModel
      for (const [name, value] of [
        ["if-match", "abc"],
        ["if-match", ""],
        ["if-match", '"a" "b"'],
        ["if-match", '"unfinished'],
      ] as const) {
        const answer = yield* call(model, given(json({}, "PATCH"), { [name]: value }))
        isProblem(answer, 400, "bad-request", { detail: new RegExp(`^headers\\.${name}`) })
      }
      const answer = yield* call(
        `${model}/aliases/canary`,
        given(json({ version: 1 }, "PUT"), { "if-none-match": '"a"' }),
      )
      isProblem(answer, 400, "bad-request", { detail: /only if there is nothing yet/ })
    }),
  )
})
