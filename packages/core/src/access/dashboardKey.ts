/** The key by which tokens of the dashboard are known. */
import { createPublicKey, type KeyObject } from "node:crypto"
import { Result, Schema } from "effect"

export class InvalidPublicKey extends Schema.TaggedError<InvalidPublicKey>()("InvalidPublicKey", {
  detail: Schema.String,
}) {
  override get message() {
    return (
      `The public key of the dashboard cannot be used: ${this.detail}. ` +
      "It is an Ed25519 key as PEM (BEGIN PUBLIC KEY), or the 43 characters of its JWK member x"
    )
  }
}

const refuse = (detail: string) => Result.fail(new InvalidPublicKey({ detail }))

/** From PEM, whose line breaks may be written as `\n`, or from the member `x` of a JWK. */
export const parseDashboardKey = (text: string): Result.Result<KeyObject, InvalidPublicKey> => {
  const trimmed = text.replaceAll("\\n", "\n").trim()
  // Node would take the public half of it, and nobody would notice where the private half lies about.
  if (trimmed.includes("PRIVATE KEY")) return refuse("it is a private key")
  const isJwk = /^[A-Za-z0-9_-]{43}$/.test(trimmed)
  if (!isJwk && !trimmed.startsWith("-----BEGIN PUBLIC KEY-----")) return refuse("it is neither")
  return Result.flatMap(
    Result.try({
      try: () =>
        isJwk
          ? createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: trimmed }, format: "jwk" })
          : createPublicKey(trimmed),
      catch: () => new InvalidPublicKey({ detail: "it is damaged" }),
    }),
    (key) =>
      key.asymmetricKeyType === "ed25519"
        ? Result.succeed(key)
        : refuse(`it is a key for ${key.asymmetricKeyType ?? "something else"}`),
  )
}
