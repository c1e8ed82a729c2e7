import { assert, it } from "@effect/vitest"
import { Clock, DateTime, Effect, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { ApiKeys } from "../../src/access/ApiKeys.ts"
import { Authentication } from "../../src/access/Authentication.ts"
import { layerAccess } from "../../src/access/layerAccess.ts"
import { layerAccessStoreMemory } from "../../src/access/MemoryAccessStore.ts"
import { Users } from "../../src/access/Users.ts"
import { access, ada, bearer, bob, type Calls, draft, headers, password, tokenOf } from "./accessFixture.ts"

const issue = (fields?: Parameters<typeof draft>[0]) =>
  ApiKeys.use(({ create }) =>
    Effect.map(create(draft(fields)), ({ key, secret }) => ({ id: key.id, text: Redacted.value(secret) })),
  )

it.effect("a key is taken from either header, the scheme in any case; two that differ are refused", () =>
  Effect.gen(function* () {
    const { text } = yield* issue()
    const { text: other } = yield* issue()
    assert.strictEqual(yield* headers(undefined, undefined), "Anonymous")
    for (const authorization of [`Bearer ${text}`, `bearer ${text}`, `BEARER  ${text}`]) {
      assert.strictEqual(yield* headers(authorization, undefined), "Key")
      assert.strictEqual(yield* headers(authorization, text), "Key")
      assert.strictEqual(yield* headers(authorization, other), "malformed")
    }
    assert.strictEqual(yield* headers(undefined, text), "Key")
    for (const authorization of [
      "",
      "Bearer",
      "Bearer ",
      text,
      `Basic ${text}`,
      `Bearer ${text} x`,
      "Bearer x y",
    ]) {
      assert.strictEqual(yield* headers(authorization, undefined), "malformed", authorization)
      assert.strictEqual(yield* headers(authorization, text), "malformed", authorization)
    }
    assert.strictEqual(yield* headers(undefined, ""), "malformed")
  }).pipe(Effect.provide(access())),
)

it.effect("a key with another secret, an unknown id or any other shape is refused", () =>
  Effect.gen(function* () {
    const { id, text } = yield* issue()
    const secret = text.slice(-43)
    assert.strictEqual(yield* bearer(`mf_${id}_${"A".repeat(43)}`), "wrong")
    assert.strictEqual(yield* bearer(`mf_000000000000_${secret}`), "unknown")
    for (const at of [3, 16, 30, 58]) {
      const changed = text.slice(0, at) + (text.charAt(at) === "b" ? "c" : "b") + text.slice(at + 1)
      assert.notStrictEqual(yield* bearer(changed), "Key")
    }
    for (const shape of [
      `${text}A`,
      text.slice(0, -1),
      text.toUpperCase(),
      `mf-${id}-${secret}`,
      secret,
      id,
      "x".repeat(5000),
    ])
      assert.strictEqual(yield* bearer(shape), "malformed", shape)
  }).pipe(Effect.provide(access())),
)

it.effect("a key ends when it expires", () =>
  Effect.gen(function* () {
    const expiresAt = DateTime.add(yield* DateTime.now, { seconds: 10 })
    const { text } = yield* issue({ expiresAt })
    yield* TestClock.adjust(9_999)
    assert.strictEqual(yield* bearer(text), "Key")
    yield* TestClock.adjust(1)
    assert.strictEqual(yield* bearer(text), "expired")
  }).pipe(Effect.provide(access())),
)

it.effect("a revoked key is refused at once, and says no more to who has another secret", () =>
  Effect.gen(function* () {
    const { id, text } = yield* issue()
    yield* ApiKeys.use(({ revoke }) => revoke(id))
    assert.strictEqual(yield* bearer(text), "revoked")
    assert.strictEqual(yield* bearer(`mf_${id}_${"A".repeat(43)}`), "wrong")
  }).pipe(Effect.provide(access())),
)

it.effect("after a rotation both secrets are valid for as long as was said, then the new one", () =>
  Effect.gen(function* () {
    const { id, text } = yield* issue()
    const rotate = (overlap?: number) =>
      ApiKeys.use((keys) => Effect.map(keys.rotate(id, overlap), ({ secret }) => Redacted.value(secret)))
    const second = yield* rotate(60)
    yield* TestClock.adjust(59_999)
    assert.deepStrictEqual([yield* bearer(text), yield* bearer(second)], ["Key", "Key"])
    yield* TestClock.adjust(1)
    assert.deepStrictEqual([yield* bearer(text), yield* bearer(second)], ["expired", "Key"])
    const third = yield* rotate()
    assert.deepStrictEqual(
      [yield* bearer(text), yield* bearer(second), yield* bearer(third)],
      ["wrong", "wrong", "Key"],
    )
  }).pipe(Effect.provide(access())),
)

const token = (claims: object, seconds: number) =>
  tokenOf({ aud: "modelforge-api", sid: "s", iat: seconds, exp: seconds + 60, ...claims })

it.effect("a token names a user; the role is that of the user here", () =>
  Effect.gen(function* () {
    const { create, update, endSessions, remove } = yield* Users
    const { identify } = yield* Authentication
    yield* create({ email: ada, name: "Ada", role: "admin", password })
    const { id } = yield* create({ email: bob, name: "Bob", role: "operator", password })
    const seconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    const at = (epoch: unknown) => token({ sub: id, epoch, role: "admin" }, seconds)
    const identity = identify({ authorization: `Bearer ${at(1)}`, apiKey: undefined })
    assert.deepInclude(identity, { _tag: "Success" })
    if (identity._tag === "Success")
      assert.deepInclude(identity.success, { _tag: "User", user: yield* Users.use(({ find }) => find(id)) })
    assert.strictEqual(yield* headers(undefined, at(1)), "malformed")
    assert.strictEqual(yield* bearer(token({ sub: "nobody", epoch: 1 }, seconds)), "unknown")
    yield* endSessions(id)
    assert.strictEqual(yield* bearer(at(1)), "epoch")
    assert.strictEqual(yield* bearer(at(2)), "User")
    assert.strictEqual(yield* bearer(at(3)), "User")
    // A dashboard that keeps no epoch ends its sessions itself.
    assert.strictEqual(yield* bearer(at(undefined)), "User")
    yield* update(id, { disabled: true })
    assert.strictEqual(yield* bearer(at(9)), "disabled")
    assert.strictEqual(yield* bearer(at(undefined)), "disabled")
    yield* remove(id)
    assert.strictEqual(yield* bearer(at(9)), "unknown")
    yield* TestClock.adjust("2 minutes")
    assert.strictEqual(yield* bearer(at(9)), "expired")
  }).pipe(Effect.provide(access())),
)

it.effect("without a public key no token is taken; one that can't be read fails the start", () =>
  Effect.gen(function* () {
    const stores = Layer.fresh(layerAccessStoreMemory)
    const seconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    yield* Effect.gen(function* () {
      assert.strictEqual(yield* bearer(token({ sub: "x", epoch: 1 }, seconds)), "unverifiable")
    }).pipe(Effect.provide(layerAccess().pipe(Layer.provide(stores))))
    const layer = layerAccess({ dashboardPublicKey: "nonsense" }).pipe(Layer.provide(stores))
    const error = yield* Effect.flip(Effect.scoped(Layer.build(Layer.fresh(layer))))
    assert.strictEqual(error._tag, "InvalidPublicKey")
  }),
)

it.effect("the operator's own key may do everything, whatever it looks like, and closes the server", () =>
  Effect.gen(function* () {
    const { closed, identify } = yield* Authentication
    const { ensureAdmin, list } = yield* ApiKeys
    assert.isFalse(closed())
    for (const text of [
      `mf_000000000000_${"A".repeat(43)}`,
      `${"a".repeat(20)}.${"b".repeat(20)}.c`,
      "!".repeat(32),
    ]) {
      yield* ensureAdmin(Redacted.make(` ${text}\n`))
      assert.strictEqual(yield* bearer(text), "Key")
      assert.strictEqual(yield* headers(undefined, text), "Key")
      assert.notStrictEqual(yield* bearer(`${text}x`), "Key")
      const identity = identify({ authorization: undefined, apiKey: text })
      if (identity._tag === "Success" && identity.success._tag === "Key")
        assert.deepStrictEqual(identity.success.key.scopes, ["predict", "jobs", "read", "write", "admin"])
    }
    assert.isTrue(closed())
    assert.deepStrictEqual(yield* list({ limit: 10 }), [])
    for (const text of ["x".repeat(31), "with a space in it, and long enough", "", "é".repeat(40)]) {
      const error = yield* Effect.flip(ensureAdmin(Redacted.make(text)))
      assert.strictEqual(error.reason._tag, "OperatorKeyUnusable")
    }
  }).pipe(Effect.provide(access())),
)

it.effect("closed stays closed when the last key and user are gone, and after a restart", () =>
  Effect.gen(function* () {
    const stores = yield* Layer.build(Layer.fresh(layerAccessStoreMemory))
    const open = Layer.fresh(layerAccess().pipe(Layer.provide(Layer.succeedContext(stores))))
    const closed = Effect.provide(
      Authentication.useSync(({ closed }) => closed()),
      open,
    )
    assert.isFalse(yield* closed)
    yield* Effect.provide(
      Effect.gen(function* () {
        const { id } = yield* Users.use(({ ensureFromSso }) => ensureFromSso(ada, "Ada"))
        yield* Users.use(({ remove }) => remove(id))
        assert.isTrue(yield* Authentication.useSync(({ closed }) => closed()))
      }),
      open,
    )
    assert.isTrue(yield* closed)
  }),
)

const calls: Calls = new Map()
it.effect("100,000 bad keys change nothing but counters, and are not remembered", () =>
  Effect.gen(function* () {
    const { identify, refused } = yield* Authentication
    const { id } = yield* issue()
    yield* TestClock.adjust("2 minutes")
    const before = new Map(calls)
    const heapBefore = process.memoryUsage().heapUsed
    for (let i = 0; i < 100_000; i++) {
      const secret = String(i).padStart(43, "x")
      const text = i % 2 === 0 ? `mf_${id}_${secret}` : `mf_${String(i).padStart(12, "0")}_${secret}`
      if (identify({ authorization: undefined, apiKey: text })._tag === "Success") assert.fail(text)
    }
    assert.isBelow(process.memoryUsage().heapUsed - heapBefore, 64 * 2 ** 20)
    assert.deepInclude(refused(), { wrong: 50_000, unknown: 50_000, malformed: 0 })
    yield* TestClock.adjust("59 seconds")
    const { changesSince: _, ...writes } = Object.fromEntries(calls)
    const { changesSince: _before, ...writesBefore } = Object.fromEntries(before)
    assert.deepStrictEqual(writes, writesBefore)
  }).pipe(Effect.provide(access(calls))),
)
