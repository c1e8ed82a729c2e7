import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { SecretKey } from "../../src/access/SecretKey.ts"

const withKey = (secret: string) =>
  Effect.provide(SecretKey, SecretKey.layer(Redacted.make(secret)), { local: true })

it.effect("a signature is good for its message, purpose and secret, and for no other", () =>
  Effect.gen(function* () {
    const [a, same, other] = [
      yield* withKey("a".repeat(32)),
      yield* withKey("a".repeat(32)),
      yield* withKey("b".repeat(32)),
    ]
    const signature = a.sign("cursor", "message")
    assert.strictEqual(signature.length, 16)
    assert.isTrue(a.verify("cursor", "message", signature))
    assert.isTrue(same.verify("cursor", "message", signature))
    assert.isFalse(a.verify("cursor", "message!", signature))
    assert.isFalse(a.verify("webhook", "message", signature))
    assert.isFalse(other.verify("cursor", "message", signature))
    assert.isFalse(a.verify("cursor", "message", signature.subarray(1)))
    assert.isFalse(a.verify("cursor", "message", new Uint8Array()))
  }),
)
