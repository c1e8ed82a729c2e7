import { createHmac, generateKeyPairSync, sign } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { readDashboardToken } from "../../src/access/dashboardToken.ts"
import { privateKey, publicKey, publicPem, tokenOf } from "./accessFixture.ts"

const now = 1_800_000_000
const claims = { aud: "modelforge-api", sub: "user", sid: "session", epoch: 3, iat: now, exp: now + 60 }
const read = (token: string, at = now) => readDashboardToken(token, publicKey, at)
const readClaims = (changed: object, at = now) => read(tokenOf({ ...claims, ...changed }), at)

it("a token that the dashboard signed says who it is for", () => {
  assert.deepStrictEqual(read(tokenOf(claims)), { sub: "user", sid: "session", epoch: 3 })
  assert.deepStrictEqual(read(tokenOf(claims, { alg: "EdDSA", kid: "1" })), {
    sub: "user",
    sid: "session",
    epoch: 3,
  })
  assert.deepStrictEqual(readClaims({ epoch: undefined }), { sub: "user", sid: "session", epoch: undefined })
  assert.deepInclude(readClaims({ nbf: now, extra: { a: 1 }, exp: now + 0.5, iat: now - 0.5 }), {
    sub: "user",
  })
})

describe("a token is refused whose", () => {
  const cases: Readonly<Record<string, ReadonlyArray<object>>> = {
    "audience is another": [
      { aud: "another" },
      { aud: ["modelforge-api"] },
      { aud: undefined },
      { aud: "Modelforge-api" },
    ],
    "user is missing": [
      { sub: undefined },
      { sub: "" },
      { sub: 5 },
      { sub: ["user"] },
      { sub: "x".repeat(257) },
    ],
    "session is missing": [{ sid: undefined }, { sid: "" }, { sid: 1 }, { sid: null }],
    "epoch is none": [{ epoch: "3" }, { epoch: null }, { epoch: 1.5 }, { epoch: 1e300 }],
    "times are missing": [
      { iat: undefined },
      { exp: undefined },
      { iat: String(now) },
      { exp: null },
      { nbf: "x" },
    ],
    "life is too long, or none": [
      { exp: now + 61 },
      { exp: now },
      { exp: now - 1 },
      { iat: now - 100, exp: now + 1 },
    ],
    "time is to come": [{ iat: now + 6, exp: now + 60 }, { nbf: now + 6 }],
  }
  for (const [name, changes] of Object.entries(cases))
    it(name, () => {
      for (const change of changes)
        assert.strictEqual(readClaims(change), "malformed", JSON.stringify(change))
    })

  it("time is over", () => {
    assert.deepInclude(readClaims({}, now + 64.9), { sub: "user" })
    assert.strictEqual(readClaims({}, now + 65), "expired")
    assert.deepInclude(readClaims({ iat: now + 5, exp: now + 60 }), { sub: "user" })
  })

  it("header says anything but EdDSA", () => {
    const headers = [
      { alg: "none" },
      { alg: "HS256", typ: "JWT" },
      { alg: "eddsa" },
      { alg: "ES256" },
      { alg: ["EdDSA"] },
      {},
      { typ: "JWT" },
      { alg: "EdDSA", typ: "at+jwt" },
      { alg: "EdDSA", typ: "jwt" },
      { alg: "EdDSA", crit: [] },
      { alg: "EdDSA", crit: ["b64"], b64: false },
      ["EdDSA"],
      "EdDSA",
      5,
      null,
    ]
    for (const header of headers)
      assert.strictEqual(read(tokenOf(claims, header)), "malformed", JSON.stringify(header))
    const inherited = tokenOf(claims, '{"__proto__": {"alg": "EdDSA"}}')
    assert.strictEqual(read(inherited), "malformed")
  })

  it("signature is none, or made with the public key as a secret", () => {
    const none = tokenOf(claims, { alg: "none" }, () => new Uint8Array())
    for (const token of [none, none.slice(0, -1), tokenOf(claims, undefined, () => new Uint8Array(64))])
      assert.isString(read(token))
    for (const alg of ["HS256", "EdDSA"])
      for (const secret of [publicPem, publicKey.export({ type: "spki", format: "der" })]) {
        const mac = (signed: string) => createHmac("sha512", secret).update(signed).digest()
        assert.isString(read(tokenOf(claims, { alg, typ: "JWT" }, mac)))
      }
  })

  it("signature is of another key", () => {
    const other = generateKeyPairSync("ed25519").privateKey
    const token = tokenOf(claims, undefined, (signed) => sign(null, Buffer.from(signed), other))
    assert.strictEqual(read(token), "unverifiable")
  })

  it("body is not an object", () => {
    for (const body of ["[]", "null", "5", '"x"', "{", "", "{}\u0000"])
      assert.isString(read(tokenOf(body)), body)
    const bytes = Buffer.from([0xff, 0x7b, 0x7d]).toString("base64url")
    const signed = `${tokenOf(claims).split(".")[0]}.${bytes}`
    const signature = sign(null, Buffer.from(signed), privateKey).toString("base64url")
    assert.strictEqual(read(`${signed}.${signature}`), "malformed")
  })
})

it("no character of a token can be changed, left out or added", () => {
  const token = tokenOf(claims)
  const refused = (changed: string) => assert.isString(read(changed), changed)
  for (let at = 0; at < token.length; at++) {
    const [before, here, after] = [token.slice(0, at), token.charAt(at), token.slice(at + 1)]
    refused(before + after)
    refused(`${before}A${here}${after}`)
    for (const other of "AZaz09-_.=+/ \u00e9") if (other !== here) refused(before + other + after)
  }
  for (const text of ["", ".", "..", "...", `${token}.`, `.${token}`, `${token}\n`, `${token}.a`])
    refused(text)
})
