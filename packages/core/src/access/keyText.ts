/** The text that a program authenticates with: `mf_<id>_<secret>`. */
import { hash, randomBytes } from "node:crypto"
import { Redacted } from "effect"
import { KeyId } from "../model/ApiKey.ts"
import { KeyHash } from "./AccessStore.ts"

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"

/** Twelve of a-z and 0-9: 62 bits, so that ids don't meet. They are no secret, and a slight bias does no harm. */
export const makeKeyId = (): KeyId =>
  KeyId.make(Array.from(randomBytes(12), (byte) => alphabet.charAt(byte % alphabet.length)).join(""))

/** With 256 random bits: 43 characters of base64url. */
export const makeKeyText = (id: KeyId) => Redacted.make(`mf_${id}_${randomBytes(32).toString("base64url")}`)

const pattern = /^mf_([a-z0-9]{12})_[A-Za-z0-9_-]{43}$/

/** The id in a key's text; undefined when it is no such text. */
export const idInKeyText = (text: string): string | undefined => pattern.exec(text)?.[1]

/**
 * SHA-256 of the whole text, so that a hash belongs to its id. A slow hash would protect what can be guessed: 256 random
 * bits can't, and the hash is computed for every request.
 */
export const digestOfKeyText = (text: string): Uint8Array => hash("sha256", text, "buffer")

export const hashOfKeyText = (text: string): KeyHash => KeyHash.make(hash("sha256", text, "hex"))
