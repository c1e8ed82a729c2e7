/** The server's secret, from which the keys of everything it signs are derived. It never leaves this module. */
import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto"
import { Context, Layer, Redacted } from "effect"

/** Each has a key of its own, so that what is signed for one proves nothing for another. */
export type Purpose = "cursor" | "webhook"

/** Bytes that a secret has at least. */
export const minSecretBytes = 32

export class SecretKey extends Context.Service<
  SecretKey,
  {
    /** The first 16 bytes of the HMAC-SHA256. */
    readonly sign: (purpose: Purpose, message: string) => Uint8Array
    /** In constant time. */
    readonly verify: (purpose: Purpose, message: string, signature: Uint8Array) => boolean
  }
>()("@modelforge/core/access/SecretKey") {
  /** Replicas that share a database share the secret: what one signs the others take. */
  static readonly layer = (secret: Redacted.Redacted): Layer.Layer<SecretKey> =>
    Layer.sync(this, () => {
      const keyOf = (purpose: Purpose) =>
        Buffer.from(hkdfSync("sha256", Redacted.value(secret), "", `modelforge ${purpose}`, 32))
      const keys: Readonly<Record<Purpose, Buffer>> = { cursor: keyOf("cursor"), webhook: keyOf("webhook") }
      const sign = (purpose: Purpose, message: string) =>
        createHmac("sha256", keys[purpose]).update(message).digest().subarray(0, 16)
      return {
        sign,
        verify: (purpose, message, signature) =>
          signature.length === 16 && timingSafeEqual(signature, sign(purpose, message)),
      }
    })
}
