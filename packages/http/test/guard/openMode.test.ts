import { assert, describe, it } from "@effect/vitest"
import { isLoopbackHost, openModeRefusal } from "../../src/guard/openMode.ts"

type Headers = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

const local = { peer: "127.0.0.1", headers: { host: "localhost:8080" } }

const passes = (peer: string, headers: Headers) =>
  assert.isUndefined(openModeRefusal({ ...local, peer, headers }), `${peer} ${JSON.stringify(headers)}`)
const refuses = (peer: string | undefined, headers: Headers, why: RegExp) =>
  assert.match(
    openModeRefusal({ ...local, peer, headers }) ?? "it passed",
    why,
    `${peer} ${JSON.stringify(headers)}`,
  )
const withHeaders = (headers: Headers): Headers => ({ host: "localhost:8080", ...headers })

const notLocal = /own machine only/
const otherHost = /Host header/
const otherSite = /other site's pages/

describe("the peer", () => {
  it("may be any loopback address", () => {
    for (const peer of ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"]) passes(peer, local.headers)
  })

  it("may be no other", () => {
    for (const peer of [
      "10.0.0.1",
      "192.168.1.27",
      "128.0.0.1",
      "::ffff:10.0.0.1",
      "fe80::1",
      "::",
      "::127.0.0.1",
      "",
    ])
      refuses(peer, local.headers, notLocal)
  })

  it("may not have left: then nobody knows who it was", () => refuses(undefined, local.headers, notLocal))
})

describe("the Host", () => {
  it("may be a name of this machine, with a port or without", () => {
    for (const host of [
      "localhost",
      "LocalHost:8080",
      "127.0.0.1",
      "127.0.0.1:80",
      "127.1.2.3:65535",
      "[::1]",
      "[::1]:8080",
    ])
      passes("127.0.0.1", { host })
  })

  it("may be nothing else: a page can make any other name lead here", () => {
    for (const host of [
      undefined,
      "",
      "evil.com",
      "localhost.evil.com",
      "localhost.",
      "localhost.:8080",
      "127.0.0.1.evil.com",
      "127.0.0.1.",
      "evil-localhost",
      "localhost:8080:9090",
      "localhost:port",
      "localhost:",
      "user@localhost",
      "localhost@evil.com",
      "user:pass@localhost:8080",
      "localhost/evil.com",
      "localhost evil.com",
      "evil.com localhost",
      "::1",
      "[::1",
      "[::1%eth0]",
      "[::ffff:127.0.0.1]",
      "0.0.0.0",
      "2130706433",
      "127.1",
      "0x7f.0.0.1",
      ["localhost", "evil.com"],
    ])
      refuses("127.0.0.1", { host }, otherHost)
  })
})

describe("the host in the request line", () => {
  it("may be a name of this machine, and no other, whatever the Host header says", () => {
    for (const authority of ["localhost:8080", "127.0.0.1", "[::1]:8080"])
      assert.isUndefined(openModeRefusal(local, authority))
    for (const authority of ["evil.com", "", "user@localhost", "localhost.evil.com:8080"])
      assert.match(openModeRefusal(local, authority) ?? "it passed", otherHost)
  })
})

describe("proxies", () => {
  it("are refused by each header that they leave", () => {
    for (const name of [
      "forwarded",
      "via",
      "x-forwarded-for",
      "x-forwarded-host",
      "x-forwarded-proto",
      "x-forwarded-port",
      "x-forwarded-server",
      "x-forwarded-anything",
    ])
      for (const value of ["127.0.0.1", "", ["a", "b"]])
        refuses("127.0.0.1", withHeaders({ [name]: value }), new RegExp(`no proxy: .*"${name}"`))
  })

  it("are not seen in other headers", () =>
    passes("127.0.0.1", withHeaders({ "x-forwarded": undefined, "x-request-id": "1", viaduct: "1" })))
})

describe("the Origin", () => {
  it("may be absent or the server's own", () => {
    passes("127.0.0.1", withHeaders({ origin: undefined }))
    passes("127.0.0.1", withHeaders({ origin: "http://localhost:8080" }))
    passes("::1", { host: "[::1]:8080", origin: "http://[::1]:8080" })
    passes("::1", { host: "127.0.0.1", origin: "http://127.0.0.1" })
  })

  it("may be nothing else", () => {
    for (const origin of [
      "null",
      "",
      "https://evil.com",
      "http://localhost",
      "http://localhost:3000",
      "https://localhost:8080",
      "http://127.0.0.1:8080",
      "http://localhost:8080.evil.com",
      "http://localhost:8080/",
      "http://user@localhost:8080",
      "file://",
      ["http://localhost:8080", "https://evil.com"],
    ])
      refuses("127.0.0.1", withHeaders({ origin }), otherSite)
  })
})

describe("Sec-Fetch-Site", () => {
  it("may be absent, none or same-origin", () => {
    for (const site of [undefined, "none", "same-origin"])
      passes("127.0.0.1", withHeaders({ "sec-fetch-site": site }))
  })

  it("may be nothing else, an own Origin beside it or not", () => {
    for (const site of ["same-site", "cross-site", "", "None", "unknown", ["none", "cross-site"]]) {
      refuses("127.0.0.1", withHeaders({ "sec-fetch-site": site }), otherSite)
      refuses(
        "127.0.0.1",
        withHeaders({ "sec-fetch-site": site, origin: "http://localhost:8080" }),
        otherSite,
      )
    }
  })
})

describe("isLoopbackHost", () => {
  it("says which addresses are reached from this machine only", () => {
    for (const host of ["localhost", "::1", "127.0.0.1", "127.0.0.53"])
      assert.isTrue(isLoopbackHost(host), host)
    for (const host of [
      "0.0.0.0",
      "::",
      "192.168.0.1",
      "example.com",
      "localhost.evil.com",
      "127.0.0.1.evil.com",
      "",
    ])
      assert.isFalse(isLoopbackHost(host), host)
  })
})
