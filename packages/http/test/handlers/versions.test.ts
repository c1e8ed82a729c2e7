import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { LoadFailed, RuntimeError } from "@modelforge/core"
import { Deferred, Duration, Effect } from "effect"
import { type Answer, json, mountWeb, onnx, upload, withModel } from "../Mount.ts"
import { signatures, summary } from "../TestForge.ts"
import { body, isProblem } from "./problems.ts"

const sha256 = (content: string) => createHash("sha256").update(content).digest()
const create = "/v1/models/digits/versions?create=true"

const nothingStored = (forge: { files: () => Promise<unknown> }) =>
  Effect.map(
    Effect.promise(() => forge.files()),
    (files) => assert.deepStrictEqual(files, { staging: [], stored: [] }),
  )

/** A form as browsers and curl send it. */
const form = (...fields: ReadonlyArray<readonly [name: string, content: string | Blob]>): RequestInit => {
  const data = new FormData()
  for (const [name, content] of fields)
    if (typeof content === "string") data.append(name, content)
    else data.append(name, content, "model.onnx")
  return { method: "POST", body: data }
}
const file = (content: string) => new Blob([content], { type: "application/octet-stream" })

/** A multipart body written by hand, to be broken at will. */
const rawForm = (content: string, boundary = "b"): RequestInit => ({
  method: "POST",
  headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
  body: content,
})
const part = (name: string, content: string, filename = "m.onnx") =>
  `--b\r\ncontent-disposition: form-data; name="${name}"; filename="${filename}"\r\ncontent-type: application/octet-stream\r\n\r\n${content}\r\n`

describe("an upload", () => {
  it.effect("becomes the next version, with what the file says of itself", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb()
      const content = onnx("floats", "1")
      const digest = sha256(content).toString("hex")
      const made = yield* call(`${create}&description=first%20try&alias=production`, upload(content))
      assert.strictEqual(made.status, 201, made.text)
      assert.strictEqual(made.headers.get("content-type"), "application/json")
      const { createdAt, serving, ...version } = body(made)
      assert.match(String(createdAt), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
      // The alias has it loaded ahead.
      assert.notInclude(["unloaded", "failed"], (serving as { state: string }).state)
      assert.deepStrictEqual(version, {
        model: "digits",
        version: 1,
        digest,
        size: content.length,
        state: "ready",
        reason: null,
        signature: { ...signatures["floats"] },
        summary,
        createdBy: null,
        description: "first try",
      })
      const model = body(yield* call("/v1/models/digits"))
      assert.deepStrictEqual(
        [model["latestVersion"], model["aliases"], model["state"]],
        [1, { production: 1 }, "ready"],
      )
      assert.deepStrictEqual(yield* Effect.promise(() => forge.files()), { staging: [], stored: [digest] })
      assert.strictEqual(body(yield* call(create, upload(onnx("long"))))["version"], 2)
    }),
  )

  it.effect("comes as a form too, other fields beside it", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const content = onnx("text", "in a form")
      const made = yield* call(create, form(["note", "hello"], ["file", file(content)], ["more", "x"]))
      assert.strictEqual(made.status, 201, made.text)
      assert.strictEqual(body(made)["digest"], sha256(content).toString("hex"))
      const download = yield* call("/v1/models/digits/versions/1/artifact")
      assert.strictEqual(download.text, content)
    }),
  )

  it.effect("may come without a content type, or with the type's parameters", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const bytes = (salt: string) => new TextEncoder().encode(onnx("floats", salt))
      assert.strictEqual((yield* call(create, { method: "POST", body: bytes("1") })).status, 201)
      for (const type of ["Application/Octet-Stream", "application/octet-stream; x=y"])
        assert.strictEqual(
          (yield* call(create, { ...upload(bytes(type)), headers: { "content-type": type } })).status,
          201,
        )
      const identity = upload(bytes("identity"), { "content-encoding": "identity" })
      assert.strictEqual((yield* call(create, identity)).status, 201)
    }),
  )

  it.effect("needs its model, or create=true", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb()
      for (const query of ["", "?create=false"])
        isProblem(yield* call(`/v1/models/digits/versions${query}`, upload(onnx())), 404, "model-not-found", {
          model: "digits",
        })
      isProblem(yield* call("/v1/models/UPPER/versions?create=true", upload(onnx())), 404, "model-not-found")
      yield* nothingStored(forge)
      yield* call("/v1/models", json({ name: "digits" }))
      assert.strictEqual((yield* call("/v1/models/digits/versions", upload(onnx()))).status, 201)
    }),
  )

  it.effect("of bytes that are a version already is refused with that version's number", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      yield* call(create, upload(onnx("floats", "1")))
      yield* call(create, upload(onnx("floats", "2")))
      isProblem(yield* call(create, upload(onnx("floats", "1"))), 409, "duplicate-version", {
        model: "digits",
        version: 1,
        digest: sha256(onnx("floats", "1")).toString("hex"),
      })
      const other = yield* call("/v1/models/other/versions?create=true", upload(onnx("floats", "1")))
      assert.strictEqual(other.status, 201)
    }),
  )

  it.effect("of what is no usable model is refused with the reason, and leaves nothing", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb()
      isProblem(yield* call(create, upload("PK\u0003\u0004")), 422, "unusable-model", {
        code: "not-onnx",
        detail: "The file is not an ONNX model",
      })
      isProblem(yield* call(create, upload("")), 422, "unusable-model", { code: "not-onnx" })
      isProblem(yield* call(create, upload("onnx floats external")), 422, "unusable-model", {
        code: "external-data",
      })
      forge.trial = Effect.fail(
        new RuntimeError({ reason: new LoadFailed({ detail: "the operator Foo is unknown" }) }),
      )
      isProblem(yield* call(create, upload(onnx())), 422, "unusable-model", {
        code: "not-loadable",
        detail: /the operator Foo is unknown/,
      })
      yield* nothingStored(forge)
      isProblem(yield* call("/v1/models/digits"), 404, "model-not-found")
    }),
  )

  it.effect("whose trial takes long is answered as validating, and its alias is set when it is ready", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb({ validationPatience: Duration.zero })
      const trialEnds = yield* Deferred.make<void>()
      forge.trial = Deferred.await(trialEnds)
      const made = yield* call(`${create}&alias=canary`, upload(onnx()))
      assert.strictEqual(made.status, 201)
      assert.strictEqual(body(made)["state"], "validating")
      assert.deepStrictEqual(body(yield* call("/v1/models/digits"))["aliases"], {})
      yield* Deferred.succeed(trialEnds, undefined)
      // The version settles in the background, at once: no timer is involved.
      while (body(yield* call("/v1/models/digits/versions/1"))["state"] !== "ready") yield* Effect.yieldNow
      assert.deepStrictEqual(body(yield* call("/v1/models/digits"))["aliases"], { canary: 1 })
    }),
  )

  it.effect("larger than the limit is refused, and leaves nothing", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb({ maxArtifactBytes: 1000 })
      const large = onnx("floats", "x".repeat(2000))
      isProblem(yield* call(create, upload(large)), 413, "too-large", { limit: 1000 })
      isProblem(yield* call(create, form(["file", file(large)])), 413, "too-large", { limit: 1000 })
      yield* nothingStored(forge)
      const fits = onnx("floats", "x".repeat(1000 - onnx().length))
      assert.strictEqual((yield* call(create, upload(fits))).status, 201)
    }),
  )

  it.effect("has no limit but its own", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb({ maxRequestBytes: 10 })
      const large = onnx("floats", "x".repeat(3_000_000))
      assert.strictEqual((yield* call(create, upload(large))).status, 201)
      assert.strictEqual((yield* call(create, form(["file", file(`${large}y`)]))).status, 201)
    }),
  )

  it.effect("of another type or encoding is refused", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb()
      for (const type of [
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/mixed",
        "",
      ])
        isProblem(
          yield* call(create, { ...upload(onnx()), headers: { "content-type": type } }),
          415,
          "unsupported-media-type",
          { detail: /application\/octet-stream.*multipart\/form-data/ },
        )
      for (const encoding of ["gzip", "br", "gzip, identity"])
        isProblem(
          yield* call(create, upload(onnx(), { "content-encoding": encoding })),
          415,
          "unsupported-media-type",
          { detail: new RegExp(`"${encoding}" is not supported`) },
        )
      yield* nothingStored(forge)
    }),
  )

  it.effect("with a query that is not valid is refused", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb()
      for (const [query, path] of [
        ["create=yes", "query.create"],
        ["create=true&alias=1", "query.alias"],
        ["create=true&alias=UPPER", "query.alias"],
        [`create=true&description=${"x".repeat(4097)}`, "query.description"],
      ]) {
        const answer = yield* call(`/v1/models/digits/versions?${query}`, upload(onnx()))
        isProblem(answer, 400, "bad-request")
        assert.include(answer.text, `"path":"${path}"`)
      }
      yield* nothingStored(forge)
    }),
  )
})

describe("a form", () => {
  it.effect("that holds not exactly one file is refused, says why, and leaves nothing", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb()
      const refused = Effect.fnUntraced(function* (init: RequestInit, detail: RegExp) {
        isProblem(yield* call(create, init), 400, "upload-interrupted", { detail })
      })
      yield* refused(form(["note", "x"]), /no file in the field "file"/)
      yield* refused(form(["file", onnx()]), /no file in the field "file"/)
      yield* refused(form(["model", file(onnx())]), /in the field "model": send it in the field "file"/)
      yield* refused(form(["file", file(onnx())], ["file", file(onnx())]), /two fields "file"/)
      yield* refused(form(["file", file(onnx())], ["other", file("x")]), /in the field "other"/)
      yield* nothingStored(forge)
    }),
  )

  it.effect("may be larger than other bodies, and have small fields beside the file", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const large = onnx("floats", "x".repeat(3 * 2 ** 20))
      const made = yield* call(create, form(["note", "x".repeat(60_000)], ["file", file(large)]))
      assert.strictEqual(made.status, 201, made.text)
      assert.strictEqual(body(made)["size"], large.length)
    }),
  )

  it.effect("with many fields, or a large one, is refused, and leaves nothing", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb()
      const field = (name: string, content: string) =>
        `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`
      const many = Array.from({ length: 20 }, (_, index) => field(`field${index}`, "x")).join("")
      for (const [fields, detail] of [
        [many, /more than 16 fields/],
        [field("note", "x".repeat(70_000)), /larger than 65536 bytes/],
      ] as const)
        isProblem(
          yield* call(create, rawForm(`${fields}${part("file", onnx())}--b--\r\n`)),
          400,
          "upload-interrupted",
          { detail },
        )
      yield* nothingStored(forge)
    }),
  )

  it.effect("that is broken or cut short is refused, and leaves nothing", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb()
      const whole = `${part("file", onnx())}--b--\r\n`
      assert.strictEqual((yield* call(create, rawForm(whole))).status, 201)
      yield* call("/v1/models/digits", { method: "DELETE" })
      const before = yield* Effect.promise(() => forge.files())
      for (const broken of [
        "",
        "--b",
        "no boundary at all",
        part("file", onnx("floats", "cut")).slice(0, -4),
        part("file", onnx("floats", "cut")),
        `--b\r\nno-colon\r\n\r\n${onnx()}\r\n--b--\r\n`,
        `--b\r\n\r\n${onnx()}\r\n--b--\r\n`,
      ]) {
        const answer = yield* call(create, rawForm(broken))
        isProblem(answer, 400, "upload-interrupted")
      }
      const noBoundary = { ...rawForm(whole), headers: { "content-type": "multipart/form-data" } }
      isProblem(yield* call(create, noBoundary), 400, "upload-interrupted")
      isProblem(yield* call(create, rawForm(whole, "other")), 400, "upload-interrupted")
      isProblem(yield* call("/v1/models/digits"), 404, "model-not-found")
      assert.deepStrictEqual(yield* Effect.promise(() => forge.files()), before)
    }),
  )

  it.effect("keeps the file's name to itself: it never reaches the disk", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const hostile = `${part("file", onnx(), "../../etc/passwd")}--b--\r\n`
      const made = yield* call(create, rawForm(hostile))
      assert.strictEqual(made.status, 201)
      assert.notInclude(made.text, "passwd")
    }),
  )
})

describe("Content-Digest", () => {
  const content = onnx("floats", "digest")
  const good = sha256(content).toString("base64")
  const withDigest = (value: string) => upload(content, { "content-digest": value })

  it.effect("is checked, wherever it stands among others", () =>
    Effect.gen(function* () {
      for (const header of [
        `sha-256=:${good}:`,
        `sha-512=:AAAA:, sha-256=:${good}:`,
        `sha-256=:${good}:;x=1, md5=:AAAA:`,
      ]) {
        const { call } = yield* mountWeb()
        assert.strictEqual((yield* call(create, withDigest(header))).status, 201, header)
      }
    }),
  )

  it.effect("of other bytes refuses the upload, naming both", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb()
      const other = sha256("other")
      isProblem(
        yield* call(create, withDigest(`sha-256=:${other.toString("base64")}:`)),
        400,
        "digest-mismatch",
        { detail: new RegExp(`${sha256(content).toString("hex")}.*${other.toString("hex")}`) },
      )
      yield* nothingStored(forge)
    }),
  )

  it.effect("that can't be read refuses the upload before its bytes are looked at", () =>
    Effect.gen(function* () {
      const { call, forge } = yield* mountWeb()
      for (const header of [
        "",
        "nonsense",
        `sha-256=${good}`,
        "sha-256=::",
        "sha-256=:AAAA:",
        "sha-256=:****:",
        `sha-256=:${good}`,
        `xsha-256=:${good}:`,
        `sha-512=:${good}:`,
        `sha-256=:${good.slice(0, -2)}:`,
      ])
        isProblem(yield* call(create, withDigest(header)), 400, "bad-request", {
          detail: /Content-Digest/,
          errors: [{ path: "headers.content-digest", message: "expected sha-256=:…:" }],
        })
      yield* nothingStored(forge)
    }),
  )
})

describe("versions", () => {
  it.effect("are listed newest first, in pages", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(
        mount,
        "digits",
        Array.from({ length: 5 }, () => "floats"),
      )
      const seen: Array<unknown> = []
      let cursor = ""
      do {
        const page: Answer = yield* mount.call(`/v1/models/digits/versions?limit=2${cursor}`)
        const { items, nextCursor } = body(page)
        assert.isTrue(Array.isArray(items))
        if (Array.isArray(items)) seen.push(items.map(({ version }) => version))
        cursor = typeof nextCursor === "string" ? `&cursor=${nextCursor}` : ""
      } while (cursor !== "")
      assert.deepStrictEqual(seen, [[5, 4], [3, 2], [1]])
    }),
  )

  it.effect("have cursors that are refused when they are no cursor of this list", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      for (const key of ["x", "", "0", "-1", "1.5", "99999999999", "2147483648", "1e3"]) {
        const cursor = Buffer.from(key).toString("base64url")
        isProblem(yield* mount.call(`/v1/models/digits/versions?cursor=${cursor}`), 400, "bad-request", {
          detail: /cursor/,
        })
      }
      isProblem(yield* mount.call("/v1/models/nope/versions"), 404, "model-not-found")
      isProblem(yield* mount.call("/v1/models/digits/versions?limit=0"), 400, "bad-request")
    }),
  )

  it.effect("are found by number and by alias", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits", ["floats", "long"])
      yield* mount.call("/v1/models/digits/aliases/canary", json({ version: 1 }, "PUT"))
      const byNumber = yield* mount.call("/v1/models/digits/versions/1")
      assert.strictEqual(byNumber.status, 200)
      assert.deepStrictEqual((yield* mount.call("/v1/models/digits/versions/canary")).json, byNumber.json)
      for (const version of ["9", "0", "01", "nope", "1.0", "99999999999999999999", "%20"])
        isProblem(yield* mount.call(`/v1/models/digits/versions/${version}`), 404, "version-not-found", {
          model: "digits",
          version: decodeURIComponent(version),
        })
    }),
  )

  it.effect("can be described", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      const described = yield* mount.call("/v1/models/digits/versions/1", json({ description: "é" }, "PATCH"))
      assert.strictEqual(described.status, 200)
      assert.strictEqual(body(described)["description"], "é")
      assert.strictEqual(body(yield* mount.call("/v1/models/digits/versions/1"))["description"], "é")
      isProblem(
        yield* mount.call("/v1/models/digits/versions/1", json({}, "PATCH")),
        422,
        "invalid-request",
        { detail: /^description: / },
      )
      isProblem(
        yield* mount.call("/v1/models/digits/versions/2", json({ description: "" }, "PATCH")),
        404,
        "version-not-found",
      )
    }),
  )

  it.effect("are deleted unless an alias points at them", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits", ["floats", "floats"])
      yield* mount.call("/v1/models/digits/aliases/production", json({ version: 1 }, "PUT"))
      const remove = { method: "DELETE" }
      isProblem(yield* mount.call("/v1/models/digits/versions/1", remove), 409, "version-conflict", {
        model: "digits",
        version: 1,
        detail: /"production"/,
      })
      const deleted = yield* mount.call("/v1/models/digits/versions/2", remove)
      assert.deepStrictEqual([deleted.status, deleted.text], [204, ""])
      isProblem(yield* mount.call("/v1/models/digits/versions/2", remove), 404, "version-not-found")
      isProblem(yield* mount.call("/v1/models/nope/versions/2", remove), 404, "model-not-found")
    }),
  )
})

describe("a download", () => {
  it.effect("gives the bytes, their number and their digest", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const bytes = new Uint8Array(300_000).map((_, index) => index * 7)
      bytes.set(new TextEncoder().encode(onnx()))
      yield* mount.call(create, upload(bytes))
      const response = yield* Effect.promise(() => mount.fetch("/v1/models/digits/versions/1/artifact"))
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers.get("content-type"), "application/octet-stream")
      assert.strictEqual(response.headers.get("content-length"), "300000")
      assert.strictEqual(response.headers.get("content-disposition"), 'attachment; filename="digits.onnx"')
      assert.strictEqual(
        response.headers.get("etag"),
        `"${createHash("sha256").update(bytes).digest("hex")}"`,
      )
      assert.deepStrictEqual(yield* Effect.promise(() => response.bytes()), bytes)
    }),
  )

  it.effect("of what does not exist is a 404", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      isProblem(yield* mount.call("/v1/models/nope/versions/1/artifact"), 404, "model-not-found")
      isProblem(yield* mount.call("/v1/models/digits/versions/7/artifact"), 404, "version-not-found")
    }),
  )
})
