import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { isProblem } from "../handlers/problems.ts"
import { type Answer, json, type Mount, mountWeb, onnx, upload, withModel } from "../Mount.ts"

const keyed = (init: RequestInit, key = "a-key"): RequestInit => ({
  ...init,
  headers: { ...init.headers, "idempotency-key": key },
})

const create = (name: string, key?: string) => keyed(json({ name }), key)

const isReplay = (answer: Answer, first: Answer) => {
  assert.strictEqual(answer.headers.get("idempotency-replayed"), "true", answer.text)
  assert.isNull(first.headers.get("idempotency-replayed"))
  assert.deepStrictEqual([answer.status, answer.text], [first.status, first.text])
  for (const name of ["content-type", "etag", "location"])
    assert.strictEqual(answer.headers.get(name), first.headers.get(name), name)
}

const versions = ({ call }: Mount) =>
  Effect.map(
    call("/v1/models/digits/versions"),
    ({ json }) => (json as { items: Array<unknown> }).items.length,
  )

const sha256 = async (text: string) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))
const contentDigest = (text: string) =>
  Effect.promise(async () => `sha-256=:${Buffer.from(await sha256(text)).toString("base64")}:`)

const form = (file: string): RequestInit => {
  const body = new FormData()
  body.append("file", new Blob([file]), "model.onnx")
  return { method: "POST", body }
}

describe("a call with an Idempotency-Key", () => {
  it.effect("is carried out once and answered again as it was", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const first = yield* call("/v1/models", create("digits"))
      assert.strictEqual(first.status, 201)
      assert.match(first.headers.get("etag") ?? "", /^"[\w-]{22}"$/)
      isReplay(yield* call("/v1/models", create("digits")), first)
      // Also when what it made is gone.
      yield* call("/v1/models/digits", { method: "DELETE" })
      isReplay(yield* call("/v1/models", create("digits")), first)
      isProblem(yield* call("/v1/models/digits"), 404, "model-not-found")
      assert.strictEqual((yield* call("/v1/models", create("digits", "another"))).status, 201)
    }),
  )

  it.effect("is refused when its key was another request's", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      yield* call("/v1/models", create("digits"))
      isProblem(yield* call("/v1/models", create("others")), 422, "idempotency-key-reused")
      isProblem(
        yield* call("/v1/models/digits/versions", keyed(upload(onnx()))),
        422,
        "idempotency-key-reused",
      )
      isProblem(yield* call("/v1/models/others"), 404, "model-not-found")
    }),
  )

  it.effect("is refused when its key can't be one", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      for (const key of ["", "two words", "é", "k".repeat(256)])
        isProblem(yield* call("/v1/models", create("digits", key)), 400, "bad-request")
      assert.strictEqual((yield* call("/v1/models", create("digits", "k".repeat(255)))).status, 201)
    }),
  )

  it.effect("gives a refusal that comes of what there is again, and of what was sent not", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const { call } = mount
      yield* withModel(mount, "digits")
      const exists = yield* call("/v1/models", create("digits"))
      isProblem(exists, 409, "model-exists")
      yield* call("/v1/models/digits", { method: "DELETE" })
      isReplay(yield* call("/v1/models", create("digits")), exists)
      // A typing error may be mended under the same key.
      isProblem(yield* call("/v1/models", keyed(json({ nam: "x" }), "typo")), 422, "invalid-request")
      isProblem(yield* call("/v1/models", keyed({ ...json({}), body: "{" }, "typo")), 400, "bad-request")
      assert.strictEqual((yield* call("/v1/models", create("x", "typo"))).status, 201)
    }),
  )

  it.effect("may be tried again when the server could not carry it out", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      for (const [mood, status, name] of [
        ["down", 503, "unavailable"],
        ["broken", 500, "internal"],
      ] as const) {
        mount.forge.store = mood
        isProblem(yield* mount.call("/v1/models", create("digits")), status, name)
      }
      mount.forge.store = "up"
      const made = yield* mount.call("/v1/models", create("digits"))
      assert.deepStrictEqual([made.status, made.headers.get("idempotency-replayed")], [201, null])
    }),
  )

  it.effect("is refused while the first is at work", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const [gate, begun] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      mount.forge.trial = Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(gate))
      const path = "/v1/models/digits/versions?create=true"
      const first = yield* Effect.forkChild(mount.call(path, keyed(upload(onnx()))))
      yield* Deferred.await(begun)
      const second = yield* mount.call(path, keyed(upload(onnx())))
      isProblem(second, 409, "request-in-progress")
      assert.strictEqual(second.headers.get("retry-after"), "1")
      yield* Deferred.succeed(gate, undefined)
      const made = yield* Fiber.join(first)
      assert.strictEqual(made.status, 201)
      isReplay(yield* mount.call(path, keyed(upload(onnx()))), made)
    }),
  )

  it.effect("of an upload is told by the file, however that is sent", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const { call } = mount
      const path = "/v1/models/digits/versions?create=true"
      const digest = yield* contentDigest(onnx())
      const first = yield* call(path, keyed(upload(onnx())))
      assert.strictEqual(first.status, 201, first.text)
      isReplay(yield* call(path, keyed(form(onnx()))), first)
      isReplay(yield* call(path, keyed(upload(onnx(), { "content-digest": digest }))), first)
      for (const other of [onnx("text"), `${onnx()} more`]) {
        isProblem(yield* call(path, keyed(upload(other))), 422, "idempotency-key-reused")
        const told = { "content-digest": yield* contentDigest(other) }
        isProblem(yield* call(path, keyed(upload(other, told))), 422, "idempotency-key-reused")
      }
      isProblem(yield* call(path, keyed(form(onnx("long")))), 422, "idempotency-key-reused")
      assert.strictEqual(yield* versions(mount), 1)
    }),
  )

  it.effect("of a refused upload is answered again only when it said which file it was", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const path = "/v1/models/digits/versions?create=true"
      isProblem(yield* call(path, keyed(upload("nonsense"))), 422, "unusable-model")
      assert.strictEqual((yield* call(path, keyed(upload(onnx())))).status, 201)
      const told = { "content-digest": yield* contentDigest("nonsense") }
      const refused = yield* call(path, keyed(upload("nonsense", told), "told"))
      isProblem(refused, 422, "unusable-model")
      isReplay(yield* call(path, keyed(upload("nonsense", told), "told")), refused)
    }),
  )

  it.effect("rolls back once, also when it comes twice", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const { call } = mount
      yield* withModel(mount, "digits", ["floats", "floats", "floats"])
      const alias = "/v1/models/digits/aliases/production"
      for (const version of [1, 2, 3]) yield* call(alias, json({ version }, "PUT"))
      const first = yield* call(`${alias}/rollback`, keyed({ method: "POST" }))
      isReplay(yield* call(`${alias}/rollback`, keyed({ method: "POST" })), first)
      assert.deepInclude((yield* call(alias)).json, { version: 2 })
    }),
  )

  it.effect("begins an upload in pieces once", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const begin = (length: number) =>
        keyed({ method: "POST", headers: { "tus-resumable": "1.0.0", "upload-length": String(length) } })
      const path = "/v1/models/digits/uploads?create=true"
      const first = yield* call(path, begin(10))
      assert.strictEqual(first.status, 201, first.text)
      isReplay(yield* call(path, begin(10)), first)
      isProblem(yield* call(path, begin(11)), 422, "idempotency-key-reused")
    }),
  )

  it.effect("is passed over where nothing is made", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      for (const description of ["a", "b"]) {
        const answer = yield* mount.call("/v1/models/digits", keyed(json({ description }, "PATCH")))
        assert.strictEqual(answer.status, 200)
      }
    }),
  )
})
