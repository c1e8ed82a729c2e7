import { generateKeyPairSync } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Result } from "effect"
import { parseDashboardKey } from "../../src/access/dashboardKey.ts"
import { privateKey, publicKey, publicPem } from "./accessFixture.ts"

it("is read from PEM, also on one line, and from the member x of a JWK", () => {
  const { x = "" } = publicKey.export({ format: "jwk" })
  for (const text of [publicPem, `\n ${publicPem}\n`, publicPem.trim().replaceAll("\n", "\\n"), x])
    assert.isTrue(Result.getOrThrow(parseDashboardKey(text)).equals(publicKey))
})

it("is refused when it is private, of another kind, damaged or nothing, without being repeated", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey
  const texts = [
    [privateKey.export({ type: "pkcs8", format: "pem" }).toString(), "private"],
    [rsa.export({ type: "spki", format: "pem" }).toString(), "rsa"],
    [publicPem.replace("MCow", "MDow"), "damaged"],
    ["a secret of somebody", "neither"],
    ["", "neither"],
  ] as const
  for (const [text, detail] of texts) {
    const { message } = Result.getOrThrow(Result.flip(parseDashboardKey(text)))
    assert.include(message, detail)
    assert.notInclude(message, "a secret of somebody")
  }
})
