import { assert, describe, it } from "@effect/vitest"
import {
  addressGroup,
  formatIpAddress,
  isInRange,
  parseIpAddress,
  parseIpRange,
} from "../../src/access/IpAddress.ts"
import { random } from "../random.ts"

const written = (text: string) => {
  const address = parseIpAddress(text)
  return address === undefined ? undefined : formatIpAddress(address)
}

describe("an address", () => {
  it("is one value however it is written", () => {
    for (const [text, canonical] of [
      ["127.0.0.1", "127.0.0.1"],
      ["0.0.0.0", "0.0.0.0"],
      ["255.255.255.255", "255.255.255.255"],
      ["::ffff:192.0.2.1", "192.0.2.1"],
      ["::FFFF:c000:0201", "192.0.2.1"],
      ["::", "::"],
      ["::1", "::1"],
      ["0:0:0:0:0:0:0:1", "::1"],
      ["2001:DB8::1", "2001:db8::1"],
      ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["2001:0db8:0000:0001:0000:0000:0000:0001", "2001:db8:0:1::1"],
      ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
      ["1::", "1::"],
      ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
      ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ])
      assert.strictEqual(written(text ?? ""), canonical)
  })

  it("is nothing else", () => {
    for (const text of [
      "",
      "localhost",
      "127.1",
      "127.0.0",
      "127.0.0.1.",
      "127.0.0.256",
      "127.0.0.01",
      "0x7f.0.0.1",
      "2130706433",
      "127.0.0.1:80",
      "[::1]",
      ":",
      ":::",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1::2::3",
      "::1%eth0",
      "1:2:3:4:5:6:7:8::",
      "::12345",
      "::g",
      "192.0.2.1::",
      "::192.0.2.1:1",
      "::192.0.2",
      " 127.0.0.1",
      "127.0.0.1\u0000",
      "１２７.0.0.1",
      `${"0:".repeat(1000)}1`,
    ])
      assert.isUndefined(parseIpAddress(text), text)
  })

  it("comes back from how it is written (10,000 of them)", () => {
    const { int } = random(5)
    for (let round = 0; round < 10_000; round++) {
      // Half of the groups are zero, so that every run of them occurs.
      const groups = Array.from({ length: 8 }, () => (int(2) === 0 ? 0 : int(65_536)))
      const full = groups.map((group) => group.toString(16)).join(":")
      const short = written(full)
      assert.isDefined(short, full)
      assert.deepStrictEqual(parseIpAddress(short ?? ""), parseIpAddress(full), full)
    }
  })
})

describe("a range", () => {
  const has = (range: string, address: string) => {
    const [parsedRange, parsed] = [parseIpRange(range), parseIpAddress(address)]
    if (parsedRange === undefined || parsed === undefined) throw new Error(`${range} ${address}`)
    return isInRange(parsed, parsedRange)
  }

  it("has the addresses that begin as it does, of its family", () => {
    assert.isTrue(has("10.0.0.0/8", "10.255.0.1"))
    assert.isFalse(has("10.0.0.0/8", "11.0.0.0"))
    assert.isTrue(has("192.0.2.1", "192.0.2.1"))
    assert.isTrue(has("192.0.2.1", "::ffff:192.0.2.1"))
    assert.isFalse(has("192.0.2.1", "192.0.2.2"))
    assert.isTrue(has("0.0.0.0/0", "203.0.113.9"))
    assert.isFalse(has("0.0.0.0/0", "2001:db8::1"))
    assert.isTrue(has("fd00::/8", "fdab::1"))
    assert.isFalse(has("::/0", "10.0.0.1"))
    assert.isTrue(has("::1", "::1"))
  })

  it("is nothing else, and has no bits behind its prefix", () => {
    for (const text of [
      "",
      "10.0.0.0/33",
      "10.0.0.0/",
      "10.0.0.0/-1",
      "10.0.0.0/8/8",
      "10.0.0.1/8",
      "::1/64",
      "::/129",
      "::ffff:10.0.0.0/8",
      "::ffff:10.0.0.0/104",
      "private",
    ])
      assert.isUndefined(parseIpRange(text), text)
  })
})

it("counts an IPv6 network of 64 bits as one, and what is no address by its text", () => {
  assert.strictEqual(addressGroup("2001:db8::1"), addressGroup("2001:db8::ffff:1"))
  assert.notStrictEqual(addressGroup("2001:db8::1"), addressGroup("2001:db8:0:1::1"))
  assert.strictEqual(addressGroup("2001:db8::1"), "2001:db8::/64")
  assert.strictEqual(addressGroup("::ffff:192.0.2.1"), "192.0.2.1")
  assert.strictEqual(addressGroup("unix"), "unix")
})
