import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Answer, json, type Mount, mountWeb, withModel } from "../Mount.ts"
import { body, isProblem } from "./problems.ts"

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/

const isModel = (model: Record<string, unknown>, expected: Readonly<Record<string, unknown>>) => {
  assert.match(String(model["createdAt"]), time)
  assert.match(String(model["updatedAt"]), time)
  const { createdAt: _made, updatedAt: _changed, ...rest } = model
  assert.deepStrictEqual(rest, {
    description: "",
    tags: [],
    labels: {},
    latestVersion: null,
    aliases: {},
    traffic: null,
    config: {},
    state: "empty",
    ...expected,
  })
}

const names = (answer: Answer): ReadonlyArray<string> => {
  const { items } = body(answer)
  return Array.isArray(items) ? items.map((item) => item.name ?? item.version) : []
}

/** Every page of a list, following its cursors. */
const pages = Effect.fnUntraced(function* ({ call }: Mount, path: string) {
  const all: Array<ReadonlyArray<unknown>> = []
  let cursor: unknown = ""
  while (cursor !== null) {
    const page: Answer = yield* call(`${path}${cursor === "" ? "" : `&cursor=${cursor}`}`)
    assert.strictEqual(page.status, 200, page.text)
    all.push(names(page))
    cursor = body(page)["nextCursor"]
  }
  return all
})

describe("creating", () => {
  it.effect("answers 201 with the model", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const draft = { name: "a.b_c-9", description: "é", tags: ["x", "y"], labels: { team: "vision" } }
      const made = yield* call("/v1/models", json(draft))
      assert.strictEqual(made.status, 201)
      assert.strictEqual(made.headers.get("content-type"), "application/json")
      isModel(body(made), draft)
      const found = yield* call("/v1/models/a.b_c-9")
      assert.strictEqual(found.status, 200)
      assert.deepStrictEqual(found.json, made.json)
    }),
  )

  it.effect("refuses a name that is taken with 409", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      yield* call("/v1/models", json({ name: "digits" }))
      isProblem(yield* call("/v1/models", json({ name: "digits" })), 409, "model-exists", {
        model: "digits",
        detail: 'There is a model "digits" already',
      })
    }),
  )

  it.effect("names each member that is wrong", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      for (const [draft, path] of [
        [{}, "name"],
        [{ name: "Upper" }, "name"],
        [{ name: "-a" }, "name"],
        [{ name: "a".repeat(64) }, "name"],
        [{ name: "a/b" }, "name"],
        [{ name: 1 }, "name"],
        [{ name: "a", description: 1 }, "description"],
        [{ name: "a", tags: "x" }, "tags"],
        [{ name: "a", tags: ["x", ""] }, "tags.1"],
        [{ name: "a", labels: { k: 1 } }, "labels.k"],
        [[], ""],
        ["a", ""],
      ] as const) {
        const answer = yield* call("/v1/models", json(draft))
        isProblem(answer, 422, "invalid-request")
        const { errors } = body(answer)
        assert.isTrue(Array.isArray(errors) && errors.length === 1, answer.text)
        assert.include(answer.text, `"path":"${path}","message":"`)
      }
      assert.deepStrictEqual(names(yield* call("/v1/models")), [])
    }),
  )

  it.effect("refuses bodies that can't be read, or are of another type, or too large", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const post = (content: string, type?: string): RequestInit => ({
        method: "POST",
        headers: type === undefined ? {} : { "content-type": type },
        body: content,
      })
      isProblem(yield* call("/v1/models", post("{", "application/json")), 400, "bad-request")
      isProblem(yield* call("/v1/models", post("", "application/json")), 422, "invalid-request")
      isProblem(
        yield* call("/v1/models", post('{"name":"a"}', "application/xml")),
        415,
        "unsupported-media-type",
      )
      isProblem(
        yield* call("/v1/models", post('{"name":"a"}', "text/plain")),
        415,
        "unsupported-media-type",
        { detail: /application\/json/ },
      )
      const large = json({ name: "a", description: "x".repeat(1024 * 1024) })
      isProblem(yield* call("/v1/models", large), 413, "too-large", { limit: 1024 * 1024 })
      assert.deepStrictEqual(names(yield* call("/v1/models")), [])
    }),
  )
})

describe("listing", () => {
  it.effect("gives pages by name, each model once, and null after the last", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const all = ["a", "b", "b-1", "b.1", "c", "d", "e"]
      for (const name of [...all].reverse()) yield* mount.call("/v1/models", json({ name }))
      const sorted = [...all].sort()
      assert.deepStrictEqual((yield* pages(mount, "/v1/models?limit=3")).flat(), sorted)
      assert.deepStrictEqual(
        (yield* pages(mount, "/v1/models?limit=3")).map((page) => page.length),
        [3, 3, 1],
      )
      assert.deepStrictEqual(yield* pages(mount, "/v1/models?limit=7"), [sorted])
      assert.deepStrictEqual(yield* pages(mount, "/v1/models?limit=200"), [sorted])
      assert.deepStrictEqual(yield* pages(mount, "/v1/models?x=1"), [sorted])
    }),
  )

  it.effect("has 50 to a page unless told otherwise", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      for (let index = 0; index < 51; index++)
        yield* mount.call("/v1/models", json({ name: `m${index + 100}` }))
      assert.deepStrictEqual(
        (yield* pages(mount, "/v1/models?x=1")).map((page) => page.length),
        [50, 1],
      )
    }),
  )

  it.effect("goes on where the page ended, whatever came or went between", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      for (const name of ["a", "c", "e"]) yield* call("/v1/models", json({ name }))
      const first = yield* call("/v1/models?limit=2")
      yield* call("/v1/models/c", { method: "DELETE" })
      for (const name of ["b", "d"]) yield* call("/v1/models", json({ name }))
      const second = yield* call(`/v1/models?limit=2&cursor=${body(first)["nextCursor"]}`)
      assert.deepStrictEqual(names(second), ["d", "e"])
    }),
  )

  it.effect("filters by text, tag and state, together and across pages", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      yield* mount.call("/v1/models/digits", json({ tags: ["vision"] }, "PATCH"))
      yield* mount.call("/v1/models", json({ name: "faces", tags: ["vision", "b&w"] }))
      yield* mount.call("/v1/models", json({ name: "wine", description: "Digits of chemistry" }))
      const list = (query: string) => Effect.map(mount.call(`/v1/models?${query}`), names)
      assert.deepStrictEqual(yield* list("search=DIGIT"), ["digits", "wine"])
      assert.deepStrictEqual(yield* list("tag=vision"), ["digits", "faces"])
      assert.deepStrictEqual(yield* list("tag=b%26w"), ["faces"])
      assert.deepStrictEqual(yield* list("state=ready"), ["digits"])
      assert.deepStrictEqual(yield* list("state=empty"), ["faces", "wine"])
      assert.deepStrictEqual(yield* list("search=digit&state=empty"), ["wine"])
      assert.deepStrictEqual(yield* list("search=nothing"), [])
      assert.deepStrictEqual(yield* pages(mount, "/v1/models?tag=vision&limit=1"), [["digits"], ["faces"]])
    }),
  )

  it.effect("filters by a label, key and value together", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      for (const [name, labels] of [
        ["a", { team: "vision", stage: "new" }],
        ["b", { team: "vision:2" }],
        ["c", { vision: "team" }],
      ] as const)
        yield* call("/v1/models", json({ name, labels }))
      const list = (query: string) => Effect.map(call(`/v1/models?${query}`), names)
      assert.deepStrictEqual(yield* list("label=team:vision"), ["a"])
      assert.deepStrictEqual(yield* list("label=team:vision:2"), ["b"])
      assert.deepStrictEqual(yield* list("label=team:"), [])
      assert.deepStrictEqual(yield* list("label=stage:new&search=b"), [])
      isProblem(yield* call("/v1/models?label=team"), 400, "bad-request", {
        detail: "query.label: a label to search for is written key:value",
      })
    }),
  )

  it.effect("refuses limits, states and cursors that are none", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      for (const [query, path] of [
        ["limit=0", "query.limit"],
        ["limit=201", "query.limit"],
        ["limit=1.5", "query.limit"],
        ["limit=-1", "query.limit"],
        ["limit=many", "query.limit"],
        ["limit=", "query.limit"],
        ["state=good", "query.state"],
        ["cursor=", "query.cursor"],
        ["cursor=***", "query.cursor"],
        ["cursor=QUJD", "query.cursor"], // "ABC", which no model is called
        [`cursor=${"A".repeat(5000)}`, "query.cursor"],
      ]) {
        const answer = yield* call(`/v1/models?${query}`)
        isProblem(answer, 400, "bad-request")
        assert.include(answer.text, `"path":"${path}"`)
      }
    }),
  )
})

describe("one model", () => {
  it.effect("changes what is sent and keeps the rest", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const draft = { name: "digits", description: "a", tags: ["x"], labels: { k: "v" } }
      yield* call("/v1/models", json(draft))
      const changed = yield* call("/v1/models/digits", json({ description: "b", tags: [] }, "PATCH"))
      assert.strictEqual(changed.status, 200)
      isModel(body(changed), { ...draft, description: "b", tags: [] })
      isModel(body(yield* call("/v1/models/digits", json({}, "PATCH"))), {
        ...draft,
        description: "b",
        tags: [],
      })
      isProblem(yield* call("/v1/models/digits", json({ tags: 1 }, "PATCH")), 422, "invalid-request")
    }),
  )

  it.effect("is deleted with its versions, and its name is free again", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      const deleted = yield* mount.call("/v1/models/digits", { method: "DELETE" })
      assert.strictEqual(deleted.status, 204)
      assert.strictEqual(deleted.text, "")
      for (const path of ["", "/versions", "/versions/1", "/versions/1/artifact"])
        isProblem(yield* mount.call(`/v1/models/digits${path}`), 404, "model-not-found", { model: "digits" })
      isProblem(yield* mount.call("/v1/models/digits", { method: "DELETE" }), 404, "model-not-found")
      assert.strictEqual((yield* mount.call("/v1/models", json({ name: "digits" }))).status, 201)
    }),
  )

  it.effect("answers 404 for every name that no model has, possible or not", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      for (const name of ["nope", "UPPER", "a%20b", "a%2Fb", "..%2Fx", "%C3%A9", "a".repeat(100)]) {
        const model = decodeURIComponent(name)
        isProblem(yield* call(`/v1/models/${name}`), 404, "model-not-found", { model })
        isProblem(yield* call(`/v1/models/${name}`, json({}, "PATCH")), 404, "model-not-found", { model })
      }
      for (const name of ["%zz", "a".repeat(5000)])
        isProblem(yield* call(`/v1/models/${name}`), 404, "not-found")
    }),
  )
})
