import { assert, describe, it } from "@effect/vitest"
import { type IpRange, parseIpAddress, parseIpRange } from "@modelforge/core"
import { random } from "../../../core/test/random.ts"
import type { RequestHeaders } from "../../src/dataplane/request/requestHead.ts"
import { clientOf, type ProxyHeader, parseHop } from "../../src/protection/clientAddress.ts"

const ranges = (...texts: ReadonlyArray<string>): ReadonlyArray<IpRange> =>
  texts.map((text) => parseIpRange(text) ?? assert.fail(text))

const proxies = ranges("10.0.0.0/8", "fd00::/8", "127.0.0.1")

const through = (
  peer: string | undefined,
  headers: RequestHeaders,
  header: ProxyHeader = "x-forwarded-for",
) => clientOf(peer, headers, { proxies, header })

describe("without trusted proxies", () => {
  it("a request is from its peer, whatever it says", () => {
    for (const headers of [
      {},
      { "x-forwarded-for": "192.0.2.1", "x-forwarded-proto": "https" },
      { forwarded: "for=1.2.3.4" },
    ])
      assert.deepStrictEqual(clientOf("10.0.0.1", headers, { proxies: [], header: "x-forwarded-for" }), {
        address: "10.0.0.1",
        tls: false,
      })
  })
})

describe("X-Forwarded-For", () => {
  const from = (peer: string | undefined, value: string | ReadonlyArray<string> | undefined) =>
    through(peer, { "x-forwarded-for": value }).address

  it("is believed of trusted peers only", () => {
    assert.strictEqual(from("10.0.0.1", "192.0.2.1"), "192.0.2.1")
    assert.strictEqual(from("::ffff:10.0.0.1", "192.0.2.1"), "192.0.2.1")
    assert.strictEqual(from("203.0.113.1", "192.0.2.1"), "203.0.113.1")
    assert.strictEqual(from(undefined, "192.0.2.1"), undefined)
    assert.strictEqual(from("/tmp/socket", "192.0.2.1"), "/tmp/socket")
  })

  it("is read from the right, as far as the hops are trusted", () => {
    assert.strictEqual(from("10.0.0.1", "6.6.6.6, 192.0.2.1"), "192.0.2.1")
    assert.strictEqual(from("10.0.0.1", "6.6.6.6, 192.0.2.1, 10.1.1.1, fd00::1"), "192.0.2.1")
    assert.strictEqual(from("10.0.0.1", ["6.6.6.6", "192.0.2.1,10.1.1.1"]), "192.0.2.1")
    assert.strictEqual(from("10.0.0.1", "10.2.2.2, 10.1.1.1"), "10.2.2.2")
    assert.strictEqual(from("10.0.0.1", undefined), "10.0.0.1")
    assert.strictEqual(from("10.0.0.1", ""), "10.0.0.1")
  })

  it("ends at what is no address: the last hop that is known counts", () => {
    for (const odd of [
      "unknown",
      "localhost",
      "192.0.2.1.",
      "'; DROP TABLE",
      "_hidden",
      "192.0.2.999",
      "[::1",
      "::1]",
    ]) {
      assert.strictEqual(from("10.0.0.1", odd), "10.0.0.1", odd)
      assert.strictEqual(from("10.0.0.1", `192.0.2.1, ${odd}, 10.1.1.1`), "10.1.1.1", odd)
    }
  })

  it("is read as it is written by many", () => {
    for (const [text, address] of [
      ["192.0.2.1:4711", "192.0.2.1"],
      ["2001:DB8::1", "2001:db8::1"],
      ["[2001:db8::1]", "2001:db8::1"],
      ["[2001:db8::1]:4711", "2001:db8::1"],
      ["::ffff:192.0.2.1", "192.0.2.1"],
      ["\t192.0.2.1 ", "192.0.2.1"],
    ])
      assert.strictEqual(from("10.0.0.1", text), address)
    assert.isUndefined(parseHop("[192.0.2.1]"))
  })

  it("of a thousand hops some are looked at", () => {
    const { address } = through("10.0.0.1", { "x-forwarded-for": `192.0.2.1${", 10.0.0.2".repeat(1000)}` })
    assert.strictEqual(address, "10.0.0.2")
  })
})

describe("Forwarded", () => {
  const from = (peer: string, value: string | ReadonlyArray<string> | undefined) =>
    through(peer, { forwarded: value }, "forwarded").address

  it("is read from the right as well", () => {
    assert.strictEqual(from("10.0.0.1", "for=192.0.2.1"), "192.0.2.1")
    assert.strictEqual(from("203.0.113.1", "for=192.0.2.1"), "203.0.113.1")
    assert.strictEqual(
      from("10.0.0.1", "for=6.6.6.6, FOR=192.0.2.1;proto=https;by=10.0.0.3, for=10.1.1.1"),
      "192.0.2.1",
    )
    assert.strictEqual(from("10.0.0.1", 'proto=http; for="[2001:db8::1]:4711"'), "2001:db8::1")
    assert.strictEqual(from("10.0.0.1", 'for="192.0.2.1:80"'), "192.0.2.1")
  })

  it("ends at what names no address, or more than one", () => {
    for (const odd of [
      "for=unknown",
      "for=_x",
      "proto=https",
      "for=1.1.1.1;for=2.2.2.2",
      "for",
      "",
      'for="a,b"',
    ])
      assert.strictEqual(from("10.0.0.1", `for=192.0.2.1, ${odd}`), "10.0.0.1", odd)
    // Nobody knows where an element ends whose quote does not.
    assert.strictEqual(from("10.0.0.1", 'for=192.0.2.1, for="10.1.1.1'), "10.0.0.1")
  })

  it("and the other header are never mixed: proxies pass on the one they don't write", () => {
    const headers = { "x-forwarded-for": "1.1.1.1", forwarded: "for=2.2.2.2" }
    assert.strictEqual(through("10.0.0.1", headers).address, "1.1.1.1")
    assert.strictEqual(through("10.0.0.1", headers, "forwarded").address, "2.2.2.2")
    assert.strictEqual(through("10.0.0.1", { forwarded: "for=2.2.2.2" }).address, "10.0.0.1")
  })
})

describe("TLS", () => {
  it("is known of the proxies' word only", () => {
    const tls = (peer: string, headers: RequestHeaders, header: ProxyHeader = "x-forwarded-for") =>
      through(peer, headers, header).tls
    assert.isTrue(tls("10.0.0.1", { "x-forwarded-for": "192.0.2.1", "x-forwarded-proto": "https" }))
    assert.isTrue(tls("10.0.0.1", { "x-forwarded-proto": "http, HTTPS" }))
    assert.isFalse(tls("10.0.0.1", { "x-forwarded-proto": "https, http" }))
    assert.isFalse(tls("203.0.113.1", { "x-forwarded-proto": "https" }))
    assert.isTrue(tls("10.0.0.1", { forwarded: "for=192.0.2.1;proto=https" }, "forwarded"))
    assert.isFalse(
      tls("10.0.0.1", { forwarded: "for=192.0.2.1;proto=http", "x-forwarded-proto": "https" }, "forwarded"),
    )
  })
})

describe("whatever a client sends through a proxy (5,000 headers)", () => {
  const pieces = [
    "192.0.2.1",
    "10.0.0.2",
    "6.6.6.6",
    "2001:db8::1",
    "[2001:db8::1]:80",
    "fd00::2",
    "for=",
    "for=1.1.1.1",
    'for="',
    "proto=https",
    ",",
    ";",
    '"',
    "\\",
    " ",
    ":",
    "::",
    "unknown",
    "%",
    "\u0000",
    "é",
    "=",
    "0x7f.1",
  ]

  it("it is never taken for another than the one that the proxy added", () => {
    const { int, pick } = random(17)
    for (let round = 0; round < 5000; round++) {
      const sent = Array.from({ length: int(12) }, () => pick(pieces)).join("")
      // Each proxy adds the peer that it sees, and that is not a proxy.
      const plain = through("10.0.0.1", { "x-forwarded-for": `${sent}, 198.51.100.7` })
      assert.strictEqual(plain.address, "198.51.100.7", JSON.stringify(sent))
      const { address } = through("10.0.0.1", { forwarded: `${sent}, for=198.51.100.7` }, "forwarded")
      // A client can make the header unreadable, and is taken for the proxy then: never for somebody else.
      assert.include(["198.51.100.7", "10.0.0.1"], address, JSON.stringify(sent))
      const alone = through("10.0.0.1", { "x-forwarded-for": sent }).address ?? ""
      assert.isDefined(parseIpAddress(alone), JSON.stringify(sent))
    }
  })
})
