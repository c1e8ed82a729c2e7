import { assert, describe, it } from "@effect/vitest"
import { parseIpRange } from "@modelforge/core"
import { isOrigin } from "../../src/protection/cors.ts"
import {
  type Incoming,
  makeProtection,
  maxHeaders,
  type ProtectionOptions,
} from "../../src/protection/Protection.ts"
import { maxQueryParameters, maxTargetLength } from "../../src/protection/requestTarget.ts"

const incoming = (some: Partial<Incoming> = {}): Incoming => ({
  method: "GET",
  target: "/v1/models",
  headers: { host: "localhost" },
  headerCount: 1,
  peer: "127.0.0.1",
  unixSocket: false,
  ...some,
})

const receive = (some: Partial<Incoming> = {}, options: ProtectionOptions = {}) =>
  makeProtection(options).receive(incoming(some))

const status = (some: Partial<Incoming>, options: ProtectionOptions = {}) =>
  receive(some, options).answer?.status

describe("every answer", () => {
  it("tells browsers to load nothing, keep nothing, show it nowhere", () => {
    for (const target of ["/v1/models", "/v2", "/healthz", "/nowhere", "/docsy", "/v1/docs"]) {
      const { headers, id } = receive({ target })
      assert.deepStrictEqual(
        headers,
        {
          "x-content-type-options": "nosniff",
          "referrer-policy": "no-referrer",
          "cross-origin-resource-policy": "same-origin",
          "cache-control": "no-store",
          "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
          "x-request-id": id,
        },
        target,
      )
    }
  })

  it("of the documentation may run what is in the page, and nothing from elsewhere", () => {
    for (const target of ["/docs", "/docs/", "/docs?x=1"]) {
      const policy = receive({ target }).headers["content-security-policy"] ?? ""
      assert.match(policy, /^default-src 'none'; script-src 'unsafe-inline'; /)
      assert.notMatch(policy, /https?:|\*|unsafe-eval/)
    }
  })

  it("insists on TLS only where it was there", () => {
    const trustedProxies = [parseIpRange("127.0.0.1") ?? assert.fail()]
    const headers = { host: "localhost", "x-forwarded-proto": "https" }
    assert.isUndefined(receive({ headers }).headers["strict-transport-security"])
    assert.isUndefined(receive({}, { trustedProxies }).headers["strict-transport-security"])
    assert.match(
      receive({ headers }, { trustedProxies }).headers["strict-transport-security"] ?? "",
      /^max-age=\d{7,}/,
    )
  })
})

describe("other sites' pages", () => {
  const site = "https://app.example.com"
  const options = { corsOrigins: [site, "http://localhost:3000"] }
  const page = (origin: string) => ({ headers: { host: "localhost", origin } })
  const preflight = (origin: string) => ({
    method: "OPTIONS",
    headers: { host: "localhost", origin, "access-control-request-method": "POST" },
  })

  it("may read nothing unless the operator names them", () => {
    const { headers } = receive(page(site))
    assert.isUndefined(headers["access-control-allow-origin"])
    assert.isUndefined(headers["vary"])
    assert.isUndefined(receive(preflight(site)).answer)
  })

  it("that are named may, without what a browser keeps for this one", () => {
    const { headers } = receive(page(site), options)
    assert.strictEqual(headers["access-control-allow-origin"], site)
    assert.strictEqual(headers["cross-origin-resource-policy"], "cross-origin")
    assert.strictEqual(headers["vary"], "origin")
    assert.include(headers["access-control-expose-headers"] ?? "", "x-request-id")
    assert.isUndefined(headers["access-control-allow-credentials"])
  })

  it("that are named nearly may not", () => {
    for (const origin of [
      "null",
      "*",
      "http://app.example.com",
      "https://app.example.com:8443",
      "https://app.example.com.evil.com",
      "https://evil-app.example.com",
      "https://APP.example.com",
      "https://app.example.com/",
      "",
    ]) {
      const { headers, answer } = receive({ ...preflight(origin) }, options)
      assert.isUndefined(headers["access-control-allow-origin"], origin)
      assert.isUndefined(answer, origin)
      assert.strictEqual(headers["vary"], "origin")
    }
  })

  it("are told what they may send before they are asked for a key", () => {
    const { answer } = receive(preflight(site), options)
    assert.strictEqual(answer?.status, 204)
    assert.include(answer?.headers["access-control-allow-headers"] ?? "", "authorization")
    // Other questions of the kind are answered by those who know.
    assert.isUndefined(receive({ method: "OPTIONS", ...page(site) }, options).answer)
    assert.isUndefined(receive({ ...preflight(site), method: "GET" }, options).answer)
  })

  it("are named exactly", () => {
    for (const text of [site, "http://localhost:3000", "http://[::1]:8080"])
      assert.isTrue(isOrigin(text), text)
    for (const text of [
      "*",
      "null",
      "",
      "app.example.com",
      `${site}/`,
      `${site}:443`,
      "https://*.example.com/",
      "ftp://x",
      "https://u@x.com",
    ])
      assert.isFalse(isOrigin(text), text)
  })
})

describe("Host", () => {
  const options = { allowedHosts: ["api.example.com", "LocalHost", "[::1]"] }
  const host = (name: string | undefined, target = "/v1/models") => ({ target, headers: { host: name } })

  it("may be anything unless the operator says what", () => assert.isUndefined(status(host("evil.com"))))

  it("is one of those that were said, with a port or without", () => {
    for (const name of ["api.example.com", "API.example.com:8080", "localhost", "[::1]:80", "[::1]"])
      assert.isUndefined(status(host(name), options), name)
    for (const name of [
      "evil.com",
      "api.example.com.evil.com",
      "api.example.com:8080:90",
      "",
      undefined,
      "[::2]",
    ])
      assert.strictEqual(status(host(name), options), 421, name)
  })

  it("is not looked at for health, nor on the Unix socket", () => {
    for (const target of ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready?x"])
      assert.isUndefined(status(host("10.0.0.7:8080", target), options), target)
    assert.strictEqual(status(host("10.0.0.7", "/healthz/../v1/models"), options), 421)
    assert.isUndefined(status({ ...host("x"), unixSocket: true }, options))
  })
})

describe("a request's head", () => {
  it("has a path and query of bounded length", () => {
    assert.isUndefined(status({ target: `/${"x".repeat(maxTargetLength - 1)}` }))
    assert.strictEqual(status({ target: `/${"x".repeat(maxTargetLength)}` }), 414)
  })

  it("has a bounded number of parameters", () => {
    const query = (parameters: number) =>
      `/v1/models?${Array.from({ length: parameters }, () => "a=1").join("&")}`
    assert.isUndefined(status({ target: query(maxQueryParameters) }))
    assert.strictEqual(status({ target: query(maxQueryParameters + 1) }), 400)
  })

  it("has a bounded number of headers", () => {
    assert.isUndefined(status({ headerCount: maxHeaders }))
    assert.strictEqual(status({ headerCount: maxHeaders + 1 }), 431)
  })

  it("is refused in the words of its plane", () => {
    const long = "x".repeat(maxTargetLength)
    assert.strictEqual(receive({ target: `/v2/${long}` }).answer?.headers["content-type"], "application/json")
    assert.strictEqual(
      receive({ target: `/v1/${long}` }).answer?.headers["content-type"],
      "application/problem+json",
    )
  })
})
