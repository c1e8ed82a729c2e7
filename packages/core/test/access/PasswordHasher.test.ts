import { scryptSync } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { PasswordCost, PasswordHasher } from "../../src/access/PasswordHasher.ts"

const cheap = PasswordHasher.layer.pipe(Layer.provide(Layer.succeed(PasswordCost, { logN: 4, r: 8, p: 1 })))
const password = Redacted.make("a fine long password")

it.effect("a hash is scrypt's, says what it cost, and no two are equal", () =>
  Effect.gen(function* () {
    const { hash, verify } = yield* PasswordHasher
    const [one, two] = [yield* hash(password), yield* hash(password)]
    assert.notStrictEqual(one, two)
    const [, logN, r, p, salt = "", derived] = one.split("$")
    const options = { N: 2 ** Number(logN), r: Number(r), p: Number(p) }
    assert.strictEqual(
      scryptSync(Redacted.value(password), Buffer.from(salt, "base64url"), 32, options).toString("base64url"),
      derived,
    )
    assert.isTrue(yield* verify(password, one))
    assert.isFalse(yield* verify(Redacted.make("a fine long passworD"), one))
    for (const nothing of [null, "", "scrypt", one.slice(0, -1)])
      assert.isFalse(yield* verify(password, nothing))
  }).pipe(Effect.provide(cheap)),
)

it.live("what it costs by default is what OWASP asks for", () =>
  Effect.gen(function* () {
    const { hash } = yield* PasswordHasher
    assert.match(yield* hash(password), /^scrypt\$17\$8\$1\$/)
  }).pipe(Effect.provide(PasswordHasher.layer)),
)

it.live("of a storm, some wait and the rest are refused", () =>
  Effect.gen(function* () {
    const { hash } = yield* PasswordHasher
    const ends = yield* Effect.forEach(
      Array.from({ length: 60 }),
      () =>
        Effect.match(hash(password), { onSuccess: () => "hashed", onFailure: ({ reason }) => reason._tag }),
      { concurrency: "unbounded" },
    )
    assert.strictEqual(ends.filter((end) => end === "hashed").length, 34)
    assert.strictEqual(ends.filter((end) => end === "PasswordsBusy").length, 26)
    assert.isTrue((yield* hash(password)).startsWith("scrypt"))
  }).pipe(Effect.provide(cheap)),
)
