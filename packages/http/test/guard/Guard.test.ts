import { assert, describe, it } from "@effect/vitest"
import { Authentication, ForgeConfig, type Identity, RateLimits } from "@modelforge/core"
import { Effect, Layer, Result } from "effect"
import { Guard, type GuardOptions } from "../../src/guard/Guard.ts"
import { authentication } from "./identities.ts"

const withGuard = <A>(
  work: (guard: Guard["Service"]) => A,
  service: Authentication["Service"] = authentication,
  options: GuardOptions = {},
) =>
  Guard.useSync(work).pipe(
    Effect.provide(
      Guard.layer(options).pipe(
        Layer.provide([Layer.succeed(Authentication, service), RateLimits.layer]),
        Layer.provide(ForgeConfig.layer()),
      ),
    ),
  )

type Headers = Readonly<Record<string, string>>

const arrival = (line: string, headers: Headers = {}) => {
  const [method = "", target = ""] = line.split(" ")
  return {
    method,
    target,
    headers: { host: "localhost:8080", ...headers },
    peer: "127.0.0.1",
    unixSocket: false,
  }
}

const bearer = (name: string): Headers => ({ authorization: `Bearer ${name}` })

const refused = (guard: Guard["Service"], line: string, headers?: Headers) => {
  const admitted = guard.admit(arrival(line, headers))
  if (Result.isSuccess(admitted)) return assert.fail(`${line} was admitted`)
  const { status, headers: given, body } = admitted.failure
  const json: unknown = JSON.parse(String(body))
  return { status, headers: given, json: { ...(json as Record<string, unknown>) } }
}

const identityOf = (guard: Guard["Service"], line: string, headers?: Headers): Identity => {
  const admitted = guard.admit(arrival(line, headers))
  return Result.isSuccess(admitted)
    ? admitted.success.identity
    : assert.fail(`${line} was refused: ${admitted.failure.body}`)
}

describe("a closed server", () => {
  it.effect("asks whoever does not say who they are, in each plane's own words", () =>
    withGuard((guard) => {
      const v1 = refused(guard, "GET /v1/models")
      assert.strictEqual(v1.status, 401)
      assert.strictEqual(v1.headers["content-type"], "application/problem+json")
      assert.strictEqual(v1.headers["www-authenticate"], 'Bearer realm="modelforge"')
      assert.deepInclude(v1.json, { type: "urn:modelforge:problem:unauthorized", status: 401 })
      assert.match(String(v1.json["detail"]), /Bearer mf_…/)
      for (const target of ["/v2/models/digits", "/V2/models/digits", "//v2", "http://localhost/v2"]) {
        const v2 = refused(guard, `GET ${target}`)
        assert.deepStrictEqual([v2.status, v2.headers["content-type"]], [401, "application/json"], target)
        assert.deepStrictEqual(Object.keys(v2.json), ["error"], target)
      }
    }),
  )

  it.effect("says of bad credentials that they are bad, and not why", () =>
    withGuard((guard) => {
      for (const headers of [bearer("nobody"), { "x-api-key": "nobody" }]) {
        const { status, headers: given, json } = refused(guard, "GET /v1/models", headers)
        assert.strictEqual(status, 401)
        assert.strictEqual(given["www-authenticate"], 'Bearer realm="modelforge", error="invalid_token"')
        assert.match(String(json["detail"]), /wrong, has expired, or was revoked/)
      }
    }),
  )

  it.effect(
    "asks at paths and methods that nobody knows too, and lets those who are known go on to a 404",
    () =>
      withGuard((guard) => {
        for (const line of [
          "GET /",
          "GET /nowhere",
          "GET *",
          "OPTIONS *",
          "TRACE /healthz",
          "PUT /healthz",
          "BREW /v1/models",
          "GET /v1/models/%zz",
          "GET /v1/models/digits/predict",
          "DELETE /v2/models/digits/infer",
          "GET foo",
        ]) {
          assert.strictEqual(refused(guard, line).status, 401, line)
          assert.strictEqual(identityOf(guard, line, bearer("predict"))._tag, "Key", line)
        }
      }),
  )

  it.effect("does not look at credentials where it asks for none", () =>
    withGuard((guard) => {
      for (const line of ["GET /healthz", "HEAD /readyz", "GET /v2/health/live"])
        for (const headers of [{}, bearer("nobody"), bearer("everything")])
          assert.deepStrictEqual(identityOf(guard, line, headers), { _tag: "Anonymous" }, line)
    }),
  )

  it.effect("lets people sign in without a key, and programs with the right one", () =>
    withGuard((guard) => {
      const login = "POST /v1/auth/login"
      assert.strictEqual(identityOf(guard, login)._tag, "Anonymous")
      assert.strictEqual(identityOf(guard, login, bearer("admin"))._tag, "Key")
      assert.strictEqual(refused(guard, login, bearer("read")).status, 403)
      assert.strictEqual(refused(guard, login, bearer("nobody")).status, 401)
    }),
  )

  it.effect("says which scope, role or model is missing", () =>
    withGuard((guard) => {
      const scope = refused(guard, "POST /v1/models", bearer("read"))
      assert.deepInclude(scope.json, {
        status: 403,
        type: "urn:modelforge:problem:forbidden",
        scopes: ["write"],
      })
      assert.match(String(scope.json["detail"]), /a key with the scope "write"/)
      const role = refused(guard, "POST /v1/models", bearer("viewer"))
      assert.deepInclude(role.json, { status: 403, role: "operator" })
      assert.match(String(role.json["detail"]), /the role "operator", and yours is "viewer"/)
      const model = refused(guard, "GET /v1/models/wine", bearer("digits"))
      assert.deepInclude(model.json, { status: 403, model: "wine" })
      const v2 = refused(guard, "POST /v2/models/wine/infer", bearer("digits"))
      assert.deepStrictEqual(v2.json, { error: 'The key is not for the model "wine"' })
    }),
  )

  it.effect("holds a key for some models to these, however the path is spelt", () =>
    withGuard((guard) => {
      const digits = bearer("digits")
      for (const line of [
        "GET /v1/models/digits",
        "GET /v1/models/%64igits/versions/1",
        "POST /v1/models/digits/predict",
        "POST /v2/models/digits/versions/3/infer",
        "POST /v1/models/digits/uploads?create=true",
        "GET /v1/models",
        "POST /v2/repository/index",
      ])
        assert.strictEqual(identityOf(guard, line, digits)._tag, "Key", line)
      for (const line of [
        "GET /v1/models/wine",
        "GET /v1/models/wine;digits",
        "GET /v1/models/%77ine?/v1/models/digits",
        "GET /v1/models/Digits",
        "GET /v1/models/digits%2F",
        "GET /v1/models/digits%00",
        "GET /v1/models/digits%2F..%2Fwine",
        "POST /v1/models/wine/predict",
        "POST /v1/models/%77ine/predict",
        "POST /V1/models/wine/PREDICT",
        "POST /v2/models/digits%2Fversions%2F1/infer",
        "POST /v2/models/%2577ine/infer",
        "POST /v2/repository/models/wine/load",
        "GET http://localhost/v1/models/wine",
      ])
        assert.strictEqual(refused(guard, line, digits).status, 403, line)
    }),
  )

  it.effect("does not let a key for some models make itself another", () =>
    withGuard((guard) => {
      for (const line of ["POST /v1/keys", "GET /v1/users", "GET /v1/audit"])
        assert.match(
          String(refused(guard, line, bearer("digits")).json["detail"]),
          /for some models only can't manage keys/,
        )
    }),
  )

  it.effect("knows whoever comes by the data folder's socket as its owner", () =>
    withGuard((guard) => {
      const admitted = guard.admit({ ...arrival("DELETE /v1/keys/x", bearer("nobody")), unixSocket: true })
      assert.deepStrictEqual(Result.getOrThrow(admitted).identity, { _tag: "Owner" })
    }),
  )

  it.effect("tells the data plane where it answers", () =>
    withGuard((guard) => {
      const admitted = guard.admit(arrival("POST /v2/models/digits/versions/3/infer", bearer("predict")))
      assert.deepStrictEqual(Result.getOrThrow(admitted).route, {
        kind: "infer",
        model: "digits",
        version: "3",
      })
    }),
  )
})

describe("an open server", () => {
  const open = { ...authentication, closed: () => false }

  it.effect("takes programs of this machine as they are", () =>
    withGuard(
      (guard) => {
        for (const headers of [{}, bearer("nobody"), bearer("predict")])
          assert.deepStrictEqual(identityOf(guard, "POST /v1/keys", headers), { _tag: "Open" })
        for (const headers of [{ origin: "null" }, { host: "evil.com" }, { via: "1.1 proxy" }])
          for (const line of ["GET /v1/models", "GET /healthz", "POST /v2/models/digits/infer"])
            assert.strictEqual(refused(guard, line, headers).status, 403, line)
        assert.strictEqual(refused(guard, "GET http://evil.com/v1/models").status, 403)
        assert.strictEqual(identityOf(guard, "GET http://localhost:8080/v1/models")._tag, "Open")
      },
      open,
      { open: true },
    ),
  )

  it.effect("is open only where it was said that it may be", () =>
    withGuard((guard) => assert.strictEqual(refused(guard, "GET /v1/models").status, 401), open),
  )

  it.effect("is closed with the first key or user, for the next request", () => {
    let closed = false
    return withGuard(
      (guard) => {
        assert.strictEqual(identityOf(guard, "GET /v1/models")._tag, "Open")
        closed = true
        assert.strictEqual(refused(guard, "GET /v1/models").status, 401)
        assert.strictEqual(identityOf(guard, "GET /v1/models", bearer("read"))._tag, "Key")
      },
      { ...authentication, closed: () => closed },
      { open: true },
    )
  })
})

describe("a host that asks who calls itself", () => {
  it.effect("is believed", () =>
    Guard.useSync((guard) => {
      assert.deepStrictEqual(identityOf(guard, "POST /v1/keys"), { _tag: "Owner" })
      assert.isUndefined(guard.authorize({ _tag: "Anonymous" }, "POST", "/v1/keys"))
    }).pipe(Effect.provide(Guard.layerOwner)),
  )
})
