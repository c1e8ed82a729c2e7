import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { Guard } from "../../src/guard/Guard.ts"
import { keyHeaders } from "../guard/callers.ts"
import { tokenFor } from "../guard/dashboard.ts"
import { type Answer, type Call, json, mountWeb, onnx, upload, withModel } from "../Mount.ts"
import { body, isProblem, isV2Error } from "./problems.ts"

const password = "seven lakes under an early moon"

/** Calls with what authenticates. */
const asCaller =
  (call: Call, headers: Readonly<Record<string, string>>): Call =>
  (path, init = {}) =>
    call(path, { ...init, headers: { ...init.headers, ...headers } })

const bearer = (text: unknown) => ({ authorization: `Bearer ${text}` })

/** A mount that asks for keys, and calls with a key for everything. */
const closed = Effect.gen(function* () {
  const mount = yield* mountWeb({}, Guard.layer())
  const all = keyHeaders(["predict", "jobs", "read", "write", "admin"])
  const headers = yield* Effect.provide(all, mount.context)
  return { ...mount, admin: asCaller(mount.call, headers) }
})

const items = (answer: Answer): ReadonlyArray<Record<string, unknown>> => {
  const { items } = body(answer)
  return Array.isArray(items) ? items : assert.fail(answer.text)
}

const newKey = (members: object = {}) => json({ name: "ci", scopes: ["read"], ...members })
const newUser = (email: string, role: string) => json({ email, name: "", role, password })

describe("keys", () => {
  it.live("are made with a secret that is shown once, work, and stop when they are revoked", () =>
    Effect.gen(function* () {
      const { call, admin } = yield* closed
      const made = yield* admin(
        "/v1/keys",
        newKey({ models: ["digits"], rateLimit: { requests: 9, seconds: 1 } }),
      )
      assert.strictEqual(made.status, 201, made.text)
      assert.strictEqual(made.headers.get("cache-control"), "no-store")
      const { id, secret, ...rest } = body(made)
      assert.match(String(secret), new RegExp(`^mf_${id}_`))
      assert.deepInclude(rest, {
        name: "ci",
        scopes: ["read"],
        models: ["digits"],
        expiresAt: null,
        rateLimit: { requests: 9, seconds: 1 },
        quota: null,
        revokedAt: null,
      })
      assert.match(String(rest["createdBy"]), /^key:[a-z0-9]{12}$/)
      for (const path of ["/v1/keys", `/v1/keys/${id}`]) {
        const shown = yield* admin(path)
        assert.strictEqual(shown.status, 200)
        assert.include(shown.text, String(id))
        assert.notInclude(shown.text, String(secret).slice(16))
      }
      const asKey = asCaller(call, bearer(secret))
      assert.strictEqual((yield* asKey("/v1/models")).status, 200)
      assert.strictEqual((yield* admin(`/v1/keys/${id}`, { method: "DELETE" })).status, 204)
      isProblem(yield* asKey("/v1/models"), 401, "unauthorized")
      assert.isString(body(yield* admin(`/v1/keys/${id}`))["revokedAt"])
      isProblem(yield* admin(`/v1/keys/${id}/rotate`, { method: "POST" }), 409, "key-revoked")
    }),
  )

  it.live("are rotated at once, or with a time in which both secrets work", () =>
    Effect.gen(function* () {
      const { call, admin } = yield* closed
      const first = body(yield* admin("/v1/keys", newKey()))
      const rotate = (members?: object) =>
        admin(`/v1/keys/${first["id"]}/rotate`, members === undefined ? { method: "POST" } : json(members))
      const statusOf = (secret: unknown) =>
        Effect.map(call("/v1/models", { headers: bearer(secret) }), ({ status }) => status)
      const second = yield* rotate({ overlapSeconds: 60 })
      assert.deepStrictEqual([second.status, second.headers.get("cache-control")], [200, "no-store"])
      assert.isString(body(second)["previousUntil"])
      assert.strictEqual(yield* statusOf(first["secret"]), 200)
      assert.strictEqual(yield* statusOf(body(second)["secret"]), 200)
      const third = body(yield* rotate())
      assert.strictEqual(third["previousUntil"], null)
      assert.deepStrictEqual(
        [
          yield* statusOf(first["secret"]),
          yield* statusOf(body(second)["secret"]),
          yield* statusOf(third["secret"]),
        ],
        [401, 401, 200],
      )
      isProblem(yield* rotate({ overlapSeconds: 604_801 }), 422, "invalid-request")
      isProblem(yield* rotate({ overlap: 1 }), 422, "invalid-request")
    }),
  )

  it.live("are refused with what is wrong", () =>
    Effect.gen(function* () {
      const { admin } = yield* closed
      for (const [members, detail] of [
        [{ scopes: ["read", "fly"] }, /scopes\.1: .*"read" \| "write"/],
        [{ scopes: [] }, /^scopes: /],
        [{ name: " " }, /^name: /],
        [{ models: ["../x"] }, /^models\.0: /],
        [{ expiresAt: "yesterday" }, /^expiresAt: /],
        [{ expiresAt: "2020-01-01T00:00:00Z" }, /^expiresAt: 2020-01-01T00:00:00\.000Z is past/],
        [{ rateLimit: { requests: 0, seconds: 1 } }, /^rateLimit\.requests: /],
        [{ expires: "2040-01-01T00:00:00Z" }, /^expires: /],
      ] as const)
        isProblem(yield* admin("/v1/keys", newKey(members)), 422, "invalid-request", { detail })
      const future = DateTime.formatIso(DateTime.add(yield* DateTime.now, { days: 1 }))
      assert.strictEqual((yield* admin("/v1/keys", newKey({ expiresAt: future }))).status, 201)
      for (const id of ["aaaaaaaaaaaa", "..", "A"])
        isProblem(yield* admin(`/v1/keys/${encodeURIComponent(id)}x`), 404, "key-not-found")
      isProblem(yield* admin("/v1/keys/aaaaaaaaaaaa", { method: "DELETE" }), 404, "key-not-found")
    }),
  )

  it.live("come in pages, newest first", () =>
    Effect.gen(function* () {
      const { admin } = yield* closed
      for (const name of ["a", "b", "c"]) yield* admin("/v1/keys", newKey({ name }))
      const page = yield* admin("/v1/keys?limit=2")
      const rest = yield* admin(`/v1/keys?limit=2&cursor=${body(page)["nextCursor"]}`)
      const names = [...items(page), ...items(rest)].map(({ name }) => name)
      assert.deepStrictEqual(names.slice(0, 3), ["c", "b", "a"])
      assert.deepStrictEqual([names.length, body(rest)["nextCursor"]], [4, null])
      isProblem(yield* admin("/v1/keys?cursor=x"), 400, "bad-request")
    }),
  )
})

describe("users", () => {
  it.live("are made, changed, disabled and deleted, but for the last admin", () =>
    Effect.gen(function* () {
      const { admin } = yield* closed
      const made = yield* admin("/v1/users", newUser("ada@example.com", "admin"))
      assert.strictEqual(made.status, 201, made.text)
      assert.notInclude(made.text, password)
      assert.deepInclude(body(made), { email: "ada@example.com", role: "admin", disabled: false })
      const path = `/v1/users/${body(made)["id"]}`
      assert.deepStrictEqual((yield* admin(path)).json, made.json)
      const lastAdmin = [
        json({ role: "viewer" }, "PATCH"),
        json({ disabled: true }, "PATCH"),
        { method: "DELETE" },
      ]
      for (const init of lastAdmin)
        isProblem(yield* admin(path, init), 409, "last-admin", { email: "ada@example.com" })
      yield* admin("/v1/users", newUser("bob@example.com", "admin"))
      const changed = yield* admin(path, json({ role: "viewer", name: "Ada" }, "PATCH"))
      assert.deepInclude(body(changed), { role: "viewer", name: "Ada" })
      assert.deepStrictEqual(
        items(yield* admin("/v1/users")).map(({ email }) => email),
        ["ada@example.com", "bob@example.com"],
      )
      assert.strictEqual((yield* admin(path, { method: "DELETE" })).status, 204)
      isProblem(yield* admin(path), 404, "user-not-found")
    }),
  )

  it.live("are refused with what is wrong", () =>
    Effect.gen(function* () {
      const { admin } = yield* closed
      yield* admin("/v1/users", newUser("ada@example.com", "viewer"))
      const again = yield* admin("/v1/users", newUser("ada@example.com", "viewer"))
      isProblem(again, 409, "email-taken", { email: "ada@example.com" })
      for (const email of ["Ada@example.com", "ada", "a b@example.com"])
        isProblem(yield* admin("/v1/users", newUser(email, "viewer")), 422, "invalid-request", {
          detail: /^email: /,
        })
      isProblem(yield* admin("/v1/users", newUser("b@example.com", "owner")), 422, "invalid-request")
      const weak = yield* admin(
        "/v1/users",
        json({ email: "b@example.com", name: "", role: "viewer", password: "x" }),
      )
      isProblem(weak, 422, "password-refused")
      isProblem(yield* admin("/v1/users/nobody"), 404, "user-not-found")
    }),
  )

  it.live("are signed out when an admin says so", () =>
    Effect.gen(function* () {
      const { call, admin } = yield* closed
      const user = body(yield* admin("/v1/users", newUser("ada@example.com", "viewer")))
      const asUser = asCaller(
        call,
        bearer(tokenFor({ id: String(user["id"]), sessionEpoch: Number(user["sessionEpoch"]) })),
      )
      assert.strictEqual((yield* asUser("/v1/models")).status, 200)
      assert.strictEqual((yield* admin(`/v1/users/${user["id"]}/sessions`, { method: "DELETE" })).status, 204)
      isProblem(yield* asUser("/v1/models"), 401, "unauthorized")
    }),
  )
})

describe("signing in", () => {
  const login = (email: string, secret: string) => json({ email, password: secret })

  it.live("gives the user, whose token works then", () =>
    Effect.gen(function* () {
      const { call, admin } = yield* closed
      const made = body(yield* admin("/v1/users", newUser("ada@example.com", "operator")))
      const answer = yield* call("/v1/auth/login", login("Ada@Example.com", password))
      assert.strictEqual(answer.status, 200, answer.text)
      const { id, sessionEpoch } = made
      assert.deepStrictEqual(answer.json, {
        user: { id, email: "ada@example.com", name: "", role: "operator", sessionEpoch },
      })
      const token = tokenFor({ id: String(id), sessionEpoch: Number(sessionEpoch) })
      const me = yield* call("/v1/me", { headers: bearer(token) })
      assert.deepStrictEqual(me.json, {
        kind: "user",
        id,
        name: "",
        scopes: null,
        role: "operator",
        models: null,
      })
    }),
  )

  it.live("is refused in the same words for every reason, and after some failures for a while", () =>
    Effect.gen(function* () {
      const { call, admin } = yield* closed
      const user = body(yield* admin("/v1/users", newUser("ada@example.com", "viewer")))
      const off = body(yield* admin("/v1/users", newUser("off@example.com", "viewer")))
      yield* admin(`/v1/users/${off["id"]}`, json({ disabled: true }, "PATCH"))
      const answers = [
        yield* call("/v1/auth/login", login("ada@example.com", "another password")),
        yield* call("/v1/auth/login", login("nobody@example.com", password)),
        yield* call("/v1/auth/login", login("off@example.com", password)),
      ]
      for (const answer of answers) isProblem(answer, 401, "login-refused")
      assert.strictEqual(new Set(answers.map(({ text }) => text)).size, 1)
      let last = yield* call("/v1/auth/login", login("ada@example.com", "another password"))
      for (let more = 0; more < 100 && last.status === 401; more++)
        last = yield* call("/v1/auth/login", login("ada@example.com", "another password"))
      isProblem(last, 429, "locked-out")
      assert.isAbove(Number(last.headers.get("retry-after")), 0)
      // Nothing more is told to whoever knows the password.
      isProblem(yield* call("/v1/auth/login", login("ada@example.com", password)), 429, "locked-out")
      const entries = items(yield* admin("/v1/audit?action=login.failed&limit=200"))
      assert.isAbove(entries.length, 3)
      assert.isString(user["id"])
    }),
  )
})

describe("who a caller is", () => {
  it.live("is told to keys, and to whoever needs none", () =>
    Effect.gen(function* () {
      const { call, context } = yield* closed
      const headers = yield* Effect.provide(keyHeaders(["read"], ["digits"]), context)
      const me = body(yield* call("/v1/me", { headers }))
      assert.deepInclude(me, {
        kind: "key",
        name: "a test",
        scopes: ["read"],
        role: null,
        models: ["digits"],
      })
      const trusted = yield* mountWeb()
      assert.deepInclude(body(yield* trusted.call("/v1/me")), { kind: "owner", id: null })
    }),
  )
})

describe("the audit log", () => {
  it.live("names who did what, and is found by it", () =>
    Effect.gen(function* () {
      const { admin } = yield* closed
      const { id } = body(yield* admin("/v1/me"))
      const key = body(yield* admin("/v1/keys", newKey()))
      yield* admin("/v1/models", json({ name: "digits" }))
      const [newest] = items(yield* admin("/v1/audit?limit=1"))
      assert.deepInclude(newest, {
        actor: `key:${id}`,
        action: "model.created",
        target: { type: "model", id: "digits" },
      })
      const made = items(yield* admin(`/v1/audit?type=key&target=${key["id"]}`))
      assert.deepStrictEqual(
        made.map(({ action, actor }) => [action, actor]),
        [["key.created", `key:${id}`]],
      )
      assert.deepStrictEqual(items(yield* admin("/v1/audit?actor=user:nobody@example.com")), [])
      assert.deepStrictEqual(items(yield* admin("/v1/audit?to=2020-01-01T00:00:00Z")), [])
      assert.isAbove(items(yield* admin("/v1/audit?from=2020-01-01T00:00:00Z")).length, 2)
      isProblem(yield* admin("/v1/audit?target=digits"), 400, "bad-request", {
        detail: /say what it is with type/,
      })
      assert.deepInclude(body(yield* admin("/v1/audit/verify")), {
        intact: true,
        sequence: null,
        detail: null,
      })
    }),
  )
})

describe("a key for some models", () => {
  it.live("sees these in lists, and names no other anywhere", () =>
    Effect.gen(function* () {
      const { call, context, admin } = yield* closed
      for (const name of ["digits", "iris", "wine"]) yield* withModel({ call: admin }, name)
      const headers = yield* Effect.provide(keyHeaders(["read", "write"], ["digits", "wine", "new"]), context)
      const limited = asCaller(call, headers)
      const first = yield* limited("/v1/models?limit=1")
      const rest = yield* limited(`/v1/models?limit=1&cursor=${body(first)["nextCursor"]}`)
      assert.deepStrictEqual(
        [...items(first), ...items(rest)].map(({ name }) => name),
        ["digits", "wine"],
      )
      assert.strictEqual(body(rest)["nextCursor"], null)
      for (const list of [
        yield* limited("/v2/repository/index", { method: "POST" }),
        yield* limited("/v2/models"),
        yield* limited("/v2/models/stats"),
      ]) {
        assert.include(list.text, "digits")
        assert.notInclude(list.text, "iris")
      }
      isProblem(yield* limited("/v1/models", json({ name: "other" })), 403, "forbidden", { model: "other" })
      assert.strictEqual((yield* limited("/v1/models", json({ name: "new" }))).status, 201)
      const compare = "/v1/models/digits/versions/1/compare?to=1"
      isProblem(yield* limited(`${compare}&toModel=iris`), 403, "forbidden", { model: "iris" })
      assert.strictEqual((yield* limited(`${compare}&toModel=wine`)).status, 200)
      isProblem(yield* limited("/v1/models/iris/versions?create=true", upload(onnx())), 403, "forbidden")
      isV2Error(yield* limited("/v2/models/iris"), 403, /not for the model "iris"/)
    }),
  )
})
