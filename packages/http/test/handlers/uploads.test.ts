import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { random } from "../../../core/test/random.ts"
import { type Call, json, mountWeb, onnx, upload, withModel } from "../Mount.ts"
import { body, isProblem } from "./problems.ts"

const collection = "/v1/models/digits/uploads"
const version = { "tus-resumable": "1.0.0" }

const creation = (size: number | string, headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  headers: { ...version, "upload-length": String(size), ...headers },
})

const piece = (
  offset: number | string,
  content: string,
  headers: Record<string, string> = {},
): RequestInit => ({
  method: "PATCH",
  headers: {
    ...version,
    "content-type": "application/offset+octet-stream",
    "upload-offset": String(offset),
    ...headers,
  },
  body: content,
})

/** Begins an upload and gives its path, as a client resolves it. */
const begun = Effect.fnUntraced(function* (call: Call, size: number, query = "create=true") {
  const made = yield* call(`${collection}?${query}`, creation(size))
  assert.strictEqual(made.status, 201, made.text)
  const { pathname } = new URL(made.headers.get("location") ?? "", `http://localhost${collection}?${query}`)
  return { path: pathname, made }
})

const content = onnx("floats", "resumable")
const cut = 8

describe("an upload in pieces", () => {
  it.effect("is begun, sent, asked about, and answered as an upload in one request", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const { path, made } = yield* begun(
        call,
        content.length,
        "create=true&alias=production&description=mine",
      )
      const { id, expiresAt, ...rest } = body(made)
      assert.strictEqual(path, `${collection}/${String(id)}`)
      assert.deepStrictEqual(rest, {
        model: "digits",
        size: content.length,
        offset: 0,
        state: "receiving",
        version: null,
        problem: null,
      })
      assert.strictEqual(made.headers.get("upload-expires"), new Date(String(expiresAt)).toUTCString())

      const some = yield* call(path, piece(0, content.slice(0, cut)))
      assert.deepStrictEqual([some.status, some.text], [204, ""])
      assert.strictEqual(some.headers.get("upload-offset"), String(cut))
      assert.isString(some.headers.get("upload-expires"))

      const head = yield* call(path, { method: "HEAD", headers: version })
      assert.deepStrictEqual([head.status, head.text], [200, ""])
      for (const [name, value] of [
        ["upload-offset", String(cut)],
        ["upload-length", String(content.length)],
        ["tus-resumable", "1.0.0"],
        ["cache-control", "no-store"],
      ] as const)
        assert.strictEqual(head.headers.get(name), value)

      const done = yield* call(path, piece(cut, content.slice(cut)))
      assert.strictEqual(done.status, 201, done.text)
      assert.strictEqual(done.headers.get("upload-offset"), String(content.length))
      assert.deepInclude(body(done), {
        model: "digits",
        version: 1,
        state: "ready",
        digest: createHash("sha256").update(content).digest("hex"),
        description: "mine",
      })
      const after = yield* call(path)
      assert.deepInclude(body(after), { state: "finished", version: 1, offset: content.length })
      const predicted = yield* call("/v1/models/digits/predict", json({ inputs: { x: [[1, 2]] } }))
      assert.strictEqual(predicted.status, 200, predicted.text)
    }),
  )

  it.effect("answers its end again, also of a version that is gone", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const { path } = yield* begun(call, content.length)
      const done = yield* call(path, piece(0, content))
      const again = yield* call(path, piece(content.length, ""))
      assert.strictEqual(again.status, 201)
      assert.strictEqual(body(again)["digest"], body(done)["digest"])
      yield* call("/v1/models/digits/versions/1", { method: "DELETE" })
      isProblem(yield* call(path, piece(content.length, "")), 404, "version-not-found")
    }),
  )

  it.effect("is begun also behind a slash, with metadata that is given back", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const metadata = "filename d29ybGQ=,filetype"
      const made = yield* call(`${collection}/?create=true`, creation(10, { "upload-metadata": metadata }))
      assert.strictEqual(made.status, 201, made.text)
      const location = new URL(made.headers.get("location") ?? "", `http://localhost${collection}/`)
      const head = yield* call(location.pathname, { method: "HEAD" })
      assert.strictEqual(head.status, 200)
      assert.strictEqual(head.headers.get("upload-metadata"), metadata)
    }),
  )

  it.effect("is aborted, and nothing is left to ask about", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const { path } = yield* begun(call, 10)
      const aborted = yield* call(path, { method: "DELETE", headers: version })
      assert.deepStrictEqual([aborted.status, aborted.text], [204, ""])
      assert.strictEqual(aborted.headers.get("tus-resumable"), "1.0.0")
      for (const method of ["GET", "DELETE"])
        isProblem(yield* call(path, { method }), 404, "upload-not-found")
      assert.strictEqual((yield* call(path, { method: "HEAD" })).status, 404)
      isProblem(yield* call(path, piece(0, "x")), 404, "upload-not-found")
      isProblem(yield* call("/v1/models/NO/uploads/x"), 404, "upload-not-found")
    }),
  )
})

describe("the protocol", () => {
  it.effect("is told by OPTIONS", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb({ maxArtifactBytes: 1000 })
      const { status, headers } = yield* call(collection, { method: "OPTIONS" })
      assert.strictEqual(status, 204)
      assert.deepStrictEqual(
        ["tus-resumable", "tus-version", "tus-extension", "tus-max-size", "tus-checksum-algorithm"].map(
          (name) => headers.get(name),
        ),
        ["1.0.0", "1.0.0", "creation,expiration,termination,checksum", "1000", "sha1,sha256"],
      )
    }),
  )

  it.effect("is tus 1.0.0, and no other version", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const { path } = yield* begun(call, 10)
      const calls: ReadonlyArray<readonly [string, RequestInit]> = [
        [collection, creation(10, { "tus-resumable": "0.2.2" })],
        [collection, { method: "POST", headers: { "upload-length": "10" } }],
        [path, piece(0, "x", { "tus-resumable": "2.0.0" })],
        [path, { method: "DELETE", headers: { "tus-resumable": "2.0.0" } }],
        [path, { headers: { "tus-resumable": "2.0.0" } }],
      ]
      for (const [at, init] of calls) {
        const answer = yield* call(at, init)
        isProblem(answer, 412, "unsupported-protocol")
        assert.strictEqual(answer.headers.get("tus-version"), "1.0.0")
        assert.strictEqual(answer.headers.get("tus-resumable"), "1.0.0")
      }
    }),
  )

  it.effect("refuses bytes that do not continue the upload, and says where it goes on", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const { path } = yield* begun(call, content.length)
      yield* call(path, piece(0, content.slice(0, cut)))
      isProblem(yield* call(path, piece(0, content)), 409, "offset-mismatch", { offset: cut })
      isProblem(yield* call(path, piece(cut, `${content} `)), 413, "too-large", { limit: content.length })
    }),
  )

  it.effect("lets one request write at a time", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const { path } = yield* begun(mount.call, content.length)
      const [begunTrial, verdict] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      mount.forge.trial = Effect.andThen(Deferred.succeed(begunTrial, undefined), Deferred.await(verdict))
      const first = yield* Effect.forkChild(mount.call(path, piece(0, content)))
      yield* Deferred.await(begunTrial)
      isProblem(yield* mount.call(path, { method: "DELETE" }), 423, "upload-locked")
      yield* Deferred.succeed(verdict, undefined)
      assert.strictEqual((yield* Fiber.join(first)).status, 201)
    }),
  )

  it.effect("holds a checksum against the bytes of its request", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const { path } = yield* begun(call, content.length)
      for (const algorithm of ["sha1", "sha256"]) {
        const wrong = createHash(algorithm).update("other bytes").digest("base64")
        const answer = yield* call(path, piece(0, content, { "upload-checksum": `${algorithm} ${wrong}` }))
        isProblem(answer, 460, "checksum-mismatch")
      }
      assert.strictEqual(body(yield* call(path))["offset"], 0)
      const right = createHash("sha1").update(content).digest("base64")
      const done = yield* call(path, piece(0, content, { "upload-checksum": `sha1 ${right}` }))
      assert.strictEqual(done.status, 201, done.text)
    }),
  )

  it.effect("takes the bytes as they are, and as nothing else", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const { path } = yield* begun(call, content.length)
      for (const headers of [
        { "content-type": "application/octet-stream" },
        { "content-type": "text/plain" },
        { "content-encoding": "gzip" },
      ])
        isProblem(yield* call(path, piece(0, content, { ...headers })), 415, "unsupported-media-type")
    }),
  )
})

describe("refusals", () => {
  it.effect("come before anything is sent where that can be known", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb({ maxArtifactBytes: 1000, maxUploads: 1 })
      yield* withModel(mount, "digits")
      const { call } = mount
      isProblem(yield* call(collection, creation(1001)), 413, "too-large", { limit: 1000 })
      isProblem(yield* call("/v1/models/other/uploads", creation(10)), 404, "model-not-found")
      const digest = createHash("sha256").update(onnx("floats", "digits 0")).digest("hex")
      isProblem(yield* call(`${collection}?digest=${digest}`, creation(10)), 409, "duplicate-version")
      yield* begun(call, 10)
      const full = yield* call(collection, creation(10))
      isProblem(full, 503, "overloaded", { detail: /1 unfinished uploads/ })
      assert.match(full.headers.get("retry-after") ?? "", /^\d+$/)
    }),
  )

  it.effect("of a file are those of an upload in one request, and are remembered", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      const { call, forge } = mount
      const cases = [
        ["onnx nothing", 422, "unusable-model", { code: "not-onnx" }],
        ["external", 422, "unusable-model", { code: "external-data" }],
        [onnx("floats", "digits 0"), 409, "duplicate-version", { version: 1 }],
      ] as const
      for (const [file, status, name, members] of cases) {
        const { path } = yield* begun(call, file.length)
        const refused = yield* call(path, piece(0, file))
        isProblem(refused, status, name, members)
        isProblem(yield* call(path, piece(file.length, "")), status, name, members)
        const { type, title, detail } = body(refused)
        const code = "code" in members ? { code: members.code } : {}
        assert.deepStrictEqual(body(yield* call(path))["problem"], { type, status, title, detail, ...code })
      }
      const digest = createHash("sha256").update("other").digest("hex")
      const { path } = yield* begun(call, content.length, `digest=${digest}`)
      isProblem(yield* call(path, piece(0, content)), 400, "digest-mismatch")
      assert.deepStrictEqual((yield* Effect.promise(() => forge.files())).staging, [])
    }),
  )

  it.effect("of an alias whose callers may fail come at the end, unless forced", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      const made = yield* mount.call(
        "/v1/models/digits/versions?create=true&alias=production",
        upload(onnx("floats")),
      )
      assert.strictEqual(made.status, 201, made.text)
      const other = onnx("text")
      const refused = yield* begun(mount.call, other.length, "alias=production")
      isProblem(yield* mount.call(refused.path, piece(0, other)), 409, "incompatible-signature")
      const forced = yield* begun(mount.call, other.length, "alias=production&force=true")
      assert.strictEqual((yield* mount.call(forced.path, piece(0, other))).status, 201)
    }),
  )

  it.effect("say which header can't be read", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const { path } = yield* begun(call, 10)
      const cases: ReadonlyArray<readonly [string, RequestInit, string]> = [
        [collection, creation("many"), "upload-length"],
        [collection, creation("-1"), "upload-length"],
        [collection, creation("1e3"), "upload-length"],
        [collection, creation("9".repeat(16)), "upload-length"],
        [collection, creation(0), "upload-length"],
        [collection, { method: "POST", headers: version }, "upload-length"],
        [collection, creation(10, { "upload-metadata": "x".repeat(4097) }), "upload-metadata"],
        [path, piece("here", "x"), "upload-offset"],
        [path, piece("+0", "x"), "upload-offset"],
        [path, piece(0, "x", { "upload-checksum": "md5 AAAA" }), "upload-checksum"],
        [path, piece(0, "x", { "upload-checksum": "sha1 AAAA" }), "upload-checksum"],
        [path, piece(0, "x", { "upload-checksum": "sha1" }), "upload-checksum"],
      ]
      for (const [at, init, header] of cases)
        isProblem(yield* call(at, init), 400, "bad-request", { detail: new RegExp(header, "i") })
    }),
  )
})

const junk = [
  "",
  "0",
  "-1",
  "1",
  "00",
  "1.5",
  "NaN",
  "0x10",
  "1,1",
  "é",
  "a b",
  "9".repeat(15),
  "9".repeat(40),
]
const headers = ["upload-offset", "upload-checksum", "tus-resumable", "content-type", "upload-length"]
const known = [200, 201, 204, 400, 404, 409, 412, 413, 415, 422, 460]

describe("whatever the headers and offsets are, each answer is one of the contract", () => {
  for (let seed = 1; seed <= 15; seed++)
    it.live(`seed ${seed}`, () =>
      Effect.gen(function* () {
        const { call, forge } = yield* mountWeb()
        const { int, pick } = random(seed)
        const file = onnx("floats", "x".repeat(int(200)))
        const { path } = yield* begun(call, file.length)
        let offset = 0
        while (offset < file.length) {
          const at = int(3) === 0 ? int(file.length + 2) : offset
          const header = int(3) === 0 ? pick(headers) : undefined
          // Offsets that are not meant may be right by chance: no bytes with those.
          const sending = header === "upload-offset" ? "" : file.slice(at, at + int(60))
          const answer = yield* call(
            path,
            piece(at, sending, header === undefined ? {} : { [header]: pick(junk) }),
          )
          assert.include(known, answer.status, `${header} ${answer.text}`)
          if (header === undefined) assert.strictEqual(answer.status < 300, at === offset, answer.text)
          if (answer.status < 300) offset += sending.length
          assert.strictEqual(body(yield* call(path))["offset"], offset)
        }
        const done = yield* call(path, piece(file.length, ""))
        assert.strictEqual(body(done)["digest"], createHash("sha256").update(file).digest("hex"))
        assert.deepStrictEqual(forge.logs, [])
      }),
    )
})
