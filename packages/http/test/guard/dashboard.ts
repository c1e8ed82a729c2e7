/** A dashboard that a test trusts: what it signs, by the description of the contract. */
import { generateKeyPairSync, sign } from "node:crypto"

const { publicKey, privateKey } = generateKeyPairSync("ed25519")

/** As `MODELFORGE_DASHBOARD_PUBLIC_KEY` has it. */
export const dashboardPublicKey = publicKey.export({ type: "spki", format: "pem" }).toString()

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")

/** A token of the user for a minute. */
export const tokenFor = (user: { readonly id: string; readonly sessionEpoch: number }): string => {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    aud: "modelforge-api",
    sub: user.id,
    sid: "a session",
    epoch: user.sessionEpoch,
    iat: now,
    exp: now + 60,
  }
  const signed = `${part({ alg: "EdDSA", typ: "JWT" })}.${part(claims)}`
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString("base64url")}`
}
