import { assert, describe, it } from "@effect/vitest"
import { ApiKeys, parseIpRange, type Quota, type RateLimit, RateLimits } from "@modelforge/core"
import { layerProtection, type ProtectionOptions } from "@modelforge/http"
import { Effect, Redacted } from "effect"
import { endpoints } from "../../../packages/http/test/endpoints.ts"
import { isProblem, isV2Error } from "../../../packages/http/test/handlers/problems.ts"
import { json, onnx, withModel } from "../../../packages/http/test/Mount.ts"
import { predict, request, startServer, Wire } from "./TestServer.ts"

const infer = json({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }] })

const protectedBy = (options: ProtectionOptions) =>
  startServer().pipe(Effect.provide(layerProtection(options)))

/** A closed server with a model, and a key with limits. */
const limited = Effect.fnUntraced(function* (rateLimit: RateLimit | null, quota: Quota | null = null) {
  const server = yield* startServer()
  yield* withModel(server, "digits")
  const { secret } = yield* ApiKeys.use((keys) =>
    keys.create({
      name: "limited",
      scopes: ["predict", "read"],
      models: null,
      expiresAt: null,
      rateLimit,
      quota,
    }),
  ).pipe(Effect.provide(server.engine), Effect.orDie)
  return { ...server, headers: { authorization: `Bearer ${Redacted.value(secret)}` } }
})

describe("every answer", () => {
  it.effect("has the headers that browsers heed and the request's id, whoever gives it", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* withModel(server, "digits")
      const others = [
        { method: "GET", path: "/nowhere" },
        { method: "TRACE", path: "/v1/models" },
        { method: "GET", path: "/openapi.json" },
        { method: "GET", path: "/docs" },
        { method: "POST", path: "/v2/models/digits/infer" },
        { method: "GET", path: `/${"x".repeat(9000)}` },
      ]
      for (const { method, path } of [...endpoints, ...others])
        for (const host of ["localhost", "evil.example"]) {
          const wire = yield* Wire.open(server)
          wire.send(request(`${method} ${path}`, { host, "x-request-id": "mine", connection: "close" }))
          const answer = (yield* wire.ended).toLowerCase()
          for (const line of [
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
            "x-request-id: mine",
          ])
            assert.strictEqual(
              answer.split(`\r\n${line}\r\n`).length,
              2,
              `${line} of ${method} ${path}\n${answer}`,
            )
          assert.match(answer, /\r\ncontent-security-policy: default-src 'none'/, path)
          assert.match(answer, /\r\ncache-control: (?:no-store|no-cache|private, no-cache)\r\n/, path)
        }
    }),
  )

  it.effect("has an id of its own where the request has none that can be used", () =>
    Effect.gen(function* () {
      const { call } = yield* startServer()
      const ids = yield* Effect.forEach(["/healthz", "/v1/models", "/nowhere"], (path) =>
        Effect.map(call(path, { headers: { "x-request-id": "not an id" } }), ({ headers }) =>
          headers.get("x-request-id"),
        ),
      )
      for (const id of ids) assert.match(id ?? "", /^[0-9a-f-]{36}$/)
      assert.strictEqual(new Set(ids).size, ids.length)
    }),
  )
})

describe("a key over its rate", () => {
  it.effect("is told of it on both planes and wherever it asks, and may go on in time", () =>
    Effect.gen(function* () {
      const { call, headers } = yield* limited({ requests: 4, seconds: 3600 })
      const calls: ReadonlyArray<readonly [string, RequestInit]> = [
        ["/v1/models/digits/predict", json({ inputs: { x: [[1, 2]] } })],
        ["/v2/models/digits/infer", infer],
        ["/v1/models", {}],
        ["/v2/models/digits", {}],
      ]
      const ask = ([path, init]: (typeof calls)[number]) =>
        call(path, { ...init, headers: { ...(init.headers as Record<string, string>), ...headers } })
      for (const [index, one] of calls.entries()) {
        const answer = yield* ask(one)
        assert.strictEqual(answer.status, 200, answer.text)
        assert.strictEqual(answer.headers.get("ratelimit-policy"), '"default";q=4;w=3600')
        assert.match(
          answer.headers.get("ratelimit") ?? "",
          new RegExp(`^"default";r=${3 - index};t=36\\d\\d$`),
        )
      }
      for (const one of calls) {
        const answer = yield* ask(one)
        if (one[0].startsWith("/v2")) isV2Error(answer, 429, /over its limit of 4 requests in 3600 seconds/)
        else isProblem(answer, 429, "rate-limited")
        assert.match(answer.headers.get("retry-after") ?? "", /^3[56]\d\d$/)
        assert.match(answer.headers.get("ratelimit") ?? "", /^"default";r=0;t=36\d\d$/)
        assert.isNotNull(answer.headers.get("x-request-id"))
      }
      // What is public is counted for nobody.
      const health = yield* call("/healthz", { headers })
      assert.strictEqual(health.status, 200)
      assert.isNull(health.headers.get("ratelimit"))
    }),
  )

  it.effect("is answered before its body is read, and the connection ends where the body is large", () =>
    Effect.gen(function* () {
      const server = yield* limited({ requests: 1, seconds: 3600 })
      yield* server.call("/v1/models", { headers: server.headers })
      const wire = yield* Wire.open(server)
      wire.send(
        request("POST /v1/models/digits/predict", {
          ...server.headers,
          "content-type": "application/json",
          "content-length": "10000000",
        }),
      )
      assert.match(yield* wire.ended, /^HTTP\/1\.1 429 /)
    }),
  )

  it.effect("a quota is told beside the rate", () =>
    Effect.gen(function* () {
      const { call, headers } = yield* limited({ requests: 9, seconds: 60 }, { requests: 1, period: "month" })
      const first = yield* call("/v1/models", { headers })
      assert.strictEqual(first.headers.get("ratelimit-policy"), '"default";q=9;w=60, "quota";q=1')
      assert.match(first.headers.get("ratelimit") ?? "", /^"default";r=8;t=\d+, "quota";r=0;t=\d+$/)
      isProblem(yield* call("/v1/models", { headers }), 429, "rate-limited")
    }),
  )
})

describe("bad keys from one address", () => {
  it.effect("are answered with 429 after a thousand in a minute; good ones from there are not", () =>
    Effect.gen(function* () {
      const { call, headers, engine } = yield* limited(null)
      const bad = { headers: { authorization: "Bearer mf_nothing" } }
      const limits = yield* Effect.provide(RateLimits, engine)
      for (let time = 0; time < 999; time++) limits.credentialsRefused("127.0.0.1")
      isProblem(yield* call("/v1/models", bad), 401, "unauthorized")
      const answer = yield* call("/v1/models", bad)
      isProblem(answer, 429, "rate-limited")
      assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/)
      assert.strictEqual((yield* call("/v1/models", { headers })).status, 200)
    }),
  )
})

describe("behind a proxy that is trusted", () => {
  it.effect("addresses are those that it says: one client's bad keys are not another's", () =>
    Effect.gen(function* () {
      const loopback = parseIpRange("127.0.0.1")
      const server = yield* protectedBy({ trustedProxies: loopback === undefined ? [] : [loopback] })
      yield* Effect.provide(
        Effect.orDie(
          ApiKeys.use((keys) =>
            keys.create({
              name: "closes it",
              scopes: ["read"],
              models: null,
              expiresAt: null,
              rateLimit: null,
              quota: null,
            }),
          ),
        ),
        server.engine,
      )
      const bad = (client: string) =>
        server.call("/v1/models", { headers: { authorization: "Bearer mf_x", "x-forwarded-for": client } })
      const limits = yield* Effect.provide(RateLimits, server.engine)
      for (let time = 0; time < 1000; time++) limits.credentialsRefused("192.0.2.1")
      assert.strictEqual((yield* bad("192.0.2.1")).status, 429)
      assert.strictEqual((yield* bad("192.0.2.2")).status, 401)
      // And one's failed logins lock nobody else's out.
      const login = (client: string) =>
        server.call("/v1/auth/login", {
          ...json({ email: "ada@example.com", password: "a wrong password" }),
          headers: { "content-type": "application/json", "x-forwarded-for": client },
        })
      for (let time = 0; time < 5; time++) assert.strictEqual((yield* login("192.0.2.1")).status, 401)
      isProblem(yield* login("192.0.2.1"), 429, "locked-out")
      assert.strictEqual((yield* login("192.0.2.2")).status, 401)
    }),
  )
})

describe("another site's page", () => {
  it.effect("that is named is answered before it has a key, and may read refusals too", () =>
    Effect.gen(function* () {
      const site = "https://app.example.com"
      const server = yield* protectedBy({ corsOrigins: [site] })
      const wire = yield* Wire.open(server)
      wire.send(
        request("OPTIONS /v2/models/digits/infer", {
          origin: site,
          "access-control-request-method": "POST",
          connection: "close",
        }),
      )
      const answer = yield* wire.ended
      assert.match(answer, /^HTTP\/1\.1 204 /)
      assert.include(answer, `access-control-allow-origin: ${site}`)
      assert.notMatch(answer, /\r\ncontent-length/i)
      // Nobody is let in without a key by it: an open server answers no page but its own.
      const page = yield* Wire.open(server)
      page.send(request("GET /v1/models", { origin: site, connection: "close" }))
      const refused = yield* page.ended
      assert.match(refused, /^HTTP\/1\.1 403 /)
      assert.include(refused, `access-control-allow-origin: ${site}`)
    }),
  )
})

describe("a head", () => {
  it.effect("that is too large, or has too many headers, is refused", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      for (const headers of [
        { large: "x".repeat(20_000) },
        Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`h${index}`, "1"])),
      ]) {
        const wire = yield* Wire.open(server)
        wire.send(request("GET /healthz", { ...headers, connection: "close" }))
        assert.match(yield* wire.ended, /^HTTP\/1\.1 431 /)
      }
    }),
  )

  it.live("that takes too long is answered with 408, and others are served meanwhile", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ headersTimeoutMs: 200 })
      const wire = yield* Wire.open(server)
      wire.send("GET /healthz HTTP/1.1\r\nhost: local")
      assert.strictEqual((yield* server.call("/healthz")).status, 200)
      assert.match(yield* wire.ended, /^HTTP\/1\.1 408 Request Timeout\r\n/)
    }),
  )
})

describe("a body", () => {
  const patience = { periodMs: 150, uploadPeriodMs: 150, bytes: 100 }
  const head = (path: string, type = "application/json") =>
    request(`POST ${path}`, { "content-type": type, "content-length": "5000" })

  it.live("that does not go on is answered with 408 on every plane, and its place is given to others", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ patience }, { maxModelRequests: 1 })
      yield* withModel(server, "digits")
      for (const [path, type] of [
        ["/v1/models/digits/predict", "application/json"],
        ["/v2/models/digits/infer", "application/json"],
        ["/v1/models", "application/json"],
        ["/v1/models/digits/versions", "application/octet-stream"],
      ] as const) {
        const wire = yield* Wire.open(server)
        wire.send(`${head(path, type)}{"inputs"`)
        const answer = yield* wire.ended
        assert.match(answer, /^HTTP\/1\.1 408 Request Timeout\r\n/, path)
        assert.include(answer, "x-request-id: ")
        assert.include(
          answer,
          path.startsWith("/v2") ? '{"error":' : "urn:modelforge:problem:request-timeout",
        )
      }
      const wire = yield* Wire.open(server)
      wire.send(predict())
      yield* wire.until(/^HTTP\/1\.1 200 OK/)
      // What came of the upload is removed behind its answer.
      const staging = Effect.promise(() => server.forge.files().then((files) => files.staging))
      while ((yield* staging).length > 0) yield* Effect.yieldNow
    }),
  )

  it.live("that trickles is not waited for either", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ patience })
      yield* withModel(server, "digits")
      const wire = yield* Wire.open(server)
      wire.send(head("/v2/models/digits/infer"))
      const trickle = setInterval(() => wire.send(" "), 20)
      const answer = yield* wire.ended
      clearInterval(trickle)
      assert.match(answer, /^HTTP\/1\.1 408 /)
    }),
  )

  it.live("that comes slowly but surely is taken", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ patience })
      yield* withModel(server, "digits")
      const file = onnx("text", "x".repeat(4000))
      const wire = yield* Wire.open(server)
      const [start, ...pieces] = file.match(/[\s\S]{1,300}/g) ?? []
      wire.send(
        `${request("POST /v1/models/digits/versions", {
          "content-type": "application/octet-stream",
          "content-length": String(file.length),
        })}${start}`,
      )
      const steady = setInterval(() => wire.send(pieces.shift() ?? ""), 50)
      const answer = yield* wire.until(/^HTTP\/1\.1 \d/)
      clearInterval(steady)
      assert.match(answer, /^HTTP\/1\.1 201 /)
    }),
  )

  it.live("that nobody here reads yet is not the client's fault", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ patience })
      yield* withModel(server, "digits")
      const began = Promise.withResolvers<void>()
      const held = Promise.withResolvers<void>()
      // The trial load of the first upload, whose body is all here, takes its time.
      server.forge.trial = Effect.promise(() => {
        began.resolve()
        return held.promise
      })
      const file = onnx("text", "held")
      const wire = yield* Wire.open(server)
      wire.send(
        `${request("POST /v1/models/digits/versions", {
          "content-type": "application/octet-stream",
          "content-length": String(file.length),
        })}${file}`,
      )
      yield* Effect.promise(() => began.promise)
      // Others are ended meanwhile: so long it waited.
      const other = yield* Wire.open(server)
      other.send(head("/v2/models/digits/infer"))
      assert.match(yield* other.ended, /^HTTP\/1\.1 408 /)
      held.resolve()
      assert.match(yield* wire.until(/^HTTP\/1\.1 \d/), /^HTTP\/1\.1 201 /)
    }),
  )
})
