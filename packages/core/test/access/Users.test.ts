import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import type { AccessError } from "../../src/access/AccessError.ts"
import { AccessStore } from "../../src/access/AccessStore.ts"
import { layerAccess } from "../../src/access/layerAccess.ts"
import { layerAccessStoreMemory } from "../../src/access/MemoryAccessStore.ts"
import { PasswordCost } from "../../src/access/PasswordHasher.ts"
import { Users } from "../../src/access/Users.ts"
import { AuditLog } from "../../src/audit/AuditLog.ts"
import { Actor } from "../../src/events/Actor.ts"
import { access, ada, bob, password } from "./accessFixture.ts"

const reason = <A, R>(effect: Effect.Effect<A, AccessError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason._tag)

const made = Users.use(({ create }) => create({ email: ada, name: "Ada", role: "admin", password }))
const secret = Redacted.make("another fine password")

it.effect("who has the password signs in; nobody else learns why not", () =>
  Effect.gen(function* () {
    const { login, create, update, ensureFromSso } = yield* Users
    yield* made
    const other = yield* create({ email: bob, name: "Bob", role: "viewer", password })
    assert.deepInclude(yield* login(" Ada@Example.com ", password), { email: ada, role: "admin" })
    // The same letters, composed and not.
    yield* update(other.id, { password: Redacted.make("une fa\u00e7ade solide") })
    yield* login(bob, Redacted.make("une fac\u0327ade solide"))
    yield* update(other.id, { disabled: true })
    const sso = (yield* ensureFromSso("eve@example.com" as typeof ada, "Eve")).email
    const attempts = [
      login(ada, secret),
      login("nobody@example.com", password),
      login(bob, Redacted.make("une fa\u00e7ade solide")),
      login(sso, password),
      login("", Redacted.make("")),
    ]
    const answers = yield* Effect.forEach(attempts, Effect.flip)
    for (const error of answers) assert.strictEqual(error.message, answers[0]?.message)
    const entries = yield* AuditLog.use(({ list }) => list({ action: "login.failed" }, { limit: 10 }))
    assert.deepStrictEqual(entries.map(({ target, reason }) => [target.id, reason]).reverse(), [
      [ada, "the password is wrong"],
      ["nobody@example.com", "there is no such user"],
      [bob, "the user is disabled"],
      [sso, "the user has no password"],
      ["", "there is no such user"],
    ])
    const [succeeded] = yield* AuditLog.use(({ list }) => list({ action: "login.succeeded" }, { limit: 1 }))
    assert.deepInclude(succeeded, { actor: `user:${bob}`, before: null, after: null })
  }).pipe(Effect.provide(access()), Effect.provideService(Actor, "key:dashboard000")),
)

it.effect("passwords are of some length, and not what everybody tries first", () =>
  Effect.gen(function* () {
    const { create } = yield* Users
    const texts = [
      "",
      "short",
      "elevenchars",
      "x".repeat(257),
      "y".repeat(100_000),
      ada,
      "ADA@example.com",
      "Password1234",
      "aaaaaaaaaaaa",
      "abababababab",
    ]
    for (const text of texts) {
      const draft = { email: ada, name: "Ada", role: "admin", password: Redacted.make(text) } as const
      const error = yield* Effect.flip(create(draft))
      assert.strictEqual(error.reason._tag, "PasswordRefused", text)
      if (text.length > 5) assert.notInclude(error.message, text)
    }
    const { id } = yield* create({
      email: ada,
      name: "",
      role: "admin",
      password: Redacted.make("🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔🐧"),
    })
    assert.strictEqual(
      yield* reason(Users.use(({ update }) => update(id, { password: Redacted.make("short") }))),
      "PasswordRefused",
    )
    assert.strictEqual(
      yield* reason(create({ email: ada, name: "", role: "viewer", password })),
      "EmailTaken",
    )
  }).pipe(Effect.provide(access())),
)

it.effect("no entry of the audit log holds a password or its hash", () =>
  Effect.gen(function* () {
    const { update } = yield* Users
    const { id } = yield* made
    yield* update(id, { password: secret, name: "Ada L." })
    const stored = yield* AccessStore.use(({ findLogin }) => findLogin(ada))
    const hash = Option.getOrThrow(stored).passwordHash ?? ""
    assert.match(hash, /^scrypt\$4\$8\$1\$/)
    const entries = yield* AuditLog.use(({ list }) => list({}, { limit: 10 }))
    const text = JSON.stringify(entries)
    for (const never of [Redacted.value(password), Redacted.value(secret), hash, "scrypt"])
      assert.notInclude(text, never)
    assert.deepStrictEqual<unknown>(entries[0]?.after, {
      name: "Ada L.",
      role: "admin",
      disabled: false,
      passwordChanged: true,
    })
  }).pipe(Effect.provide(access())),
)

it.effect("the last admin stays", () =>
  Effect.gen(function* () {
    const { update, remove } = yield* Users
    const { id } = yield* made
    assert.strictEqual(yield* reason(update(id, { role: "operator" })), "LastAdmin")
    assert.strictEqual(yield* reason(update(id, { disabled: true, password: secret })), "LastAdmin")
    assert.strictEqual(yield* reason(remove(id)), "LastAdmin")
  }).pipe(Effect.provide(access())),
)

it.effect("single sign-on makes viewers, once", () =>
  Effect.gen(function* () {
    const { ensureFromSso, list } = yield* Users
    const users = yield* Effect.all([ensureFromSso(ada, "Ada"), ensureFromSso(ada, "Ada")], {
      concurrency: 2,
    })
    assert.deepStrictEqual(users[0], users[1])
    assert.deepInclude(users[0], { role: "viewer", disabled: false })
    assert.strictEqual((yield* list({ limit: 10 })).length, 1)
  }).pipe(Effect.provide(access())),
)

it.effect("a hash that costs less than new ones is made anew at the next login", () =>
  Effect.gen(function* () {
    const stores = yield* Layer.build(Layer.fresh(layerAccessStoreMemory))
    const withCost = (logN: number) =>
      Layer.fresh(
        layerAccess().pipe(
          Layer.provide(Layer.succeed(PasswordCost, { logN, r: 8, p: 1 })),
          Layer.provideMerge(Layer.succeedContext(stores)),
        ),
      )
    const hash = AccessStore.use(({ findLogin }) =>
      Effect.map(findLogin(ada), (login) => Option.getOrThrow(login).passwordHash),
    )
    yield* Effect.provide(made, withCost(4))
    yield* Effect.gen(function* () {
      const { login } = yield* Users
      yield* Effect.flip(login(ada, secret))
      assert.match((yield* hash) ?? "", /^scrypt\$4\$/)
      yield* login(ada, password)
      const anew = (yield* hash) ?? ""
      assert.match(anew, /^scrypt\$5\$/)
      yield* login(ada, password)
      assert.strictEqual(yield* hash, anew)
    }).pipe(Effect.provide(withCost(5)))
  }),
)
