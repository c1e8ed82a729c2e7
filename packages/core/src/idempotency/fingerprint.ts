/** What requests and bodies are told from others by. */
import { createHash } from "node:crypto"
import { Effect, Stream } from "effect"
import { Digest } from "../model/Version.ts"

/** A digest of texts, in their order. */
export const fingerprintOf = (...parts: ReadonlyArray<string>): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex")

/** The SHA-256 of bytes that are read to their end and not kept. */
export const digestOf = <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Effect.Effect<Digest, E, R> =>
  Effect.suspend(() => {
    const hash = createHash("sha256")
    return Effect.map(
      Stream.runForEach(bytes, (chunk) => Effect.sync(() => hash.update(chunk))),
      () => Digest.make(hash.digest("hex")),
    )
  })
