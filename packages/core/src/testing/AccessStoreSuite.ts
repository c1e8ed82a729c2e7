/** The behaviour of every `AccessStore`, beside the `AuditStore` and `AccessChanges` that it writes to. */
import { assert, type Vitest, layer as withLayer } from "@effect/vitest"
import { DateTime, Effect, type Layer, Option, Stream } from "effect"
import { AccessChanges } from "../access/AccessChanges.ts"
import type { AccessError, AccessReason } from "../access/AccessError.ts"
import { AccessStore, StoredKey, type StoredLogin } from "../access/AccessStore.ts"
import { hashOfKeyText, makeKeyId } from "../access/keyText.ts"
import { AuditStore } from "../audit/AuditStore.ts"
import { Actor } from "../events/Actor.ts"
import { ApiKey, type KeyId } from "../model/ApiKey.ts"
import { ModelName } from "../model/Names.ts"
import { Email, User, UserId } from "../model/User.ts"
import { oddText, uuid } from "./RegistryStoreFixtures.ts"

type Needs = AccessStore | AccessChanges | AuditStore

/** What every store keeps: whole milliseconds. */
const now = Effect.map(DateTime.now, (at) => DateTime.makeUnsafe(DateTime.toEpochMillis(at)))
const later = (seconds: number) => Effect.map(now, (at) => DateTime.add(at, { seconds }))

const freshKey = Effect.fnUntraced(function* (fields: Partial<ApiKey> = {}) {
  const id = makeKeyId()
  const key = new ApiKey({
    id,
    name: "ci",
    scopes: ["predict", "read"],
    models: null,
    expiresAt: null,
    rateLimit: null,
    quota: null,
    createdAt: yield* now,
    createdBy: null,
    lastUsedAt: null,
    previousUntil: null,
    revokedAt: null,
    ...fields,
  })
  return new StoredKey({ key, hash: hashOfKeyText(id), previousHash: null })
})

const freshLogin = Effect.fnUntraced(function* (fields: Partial<User> = {}) {
  const user = new User({
    id: UserId.make(uuid()),
    email: Email.make(`${uuid()}@example.com`),
    name: oddText,
    role: "viewer",
    disabled: false,
    sessionEpoch: 1,
    createdAt: yield* now,
    lastLoginAt: null,
    ...fields,
  })
  return { user, passwordHash: "scrypt$a" } satisfies StoredLogin
})

const reasonOf = <A>(effect: Effect.Effect<A, AccessError>) =>
  Effect.map(Effect.flip(effect), ({ reason }): AccessReason["_tag"] => reason._tag)

/** Actions and states of what the audit log says of a target, oldest first. */
const audited = (type: "key" | "user", id: string) =>
  AuditStore.use((store) =>
    Effect.map(store.list({ target: { type, id } }, { limit: 50 }), (entries) =>
      entries
        .map(({ actor, action, before, after, reason }) => ({ actor, action, before, after, reason }))
        .reverse(),
    ),
  )

const keyTests = (it: Vitest.MethodsNonLive<Needs>) => {
  it.effect("a key is kept to the letter, and its hash is with what authenticates only", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const stored = yield* freshKey({
        name: oddText,
        models: [ModelName.make("digits"), ModelName.make("a.b_c-d")],
        expiresAt: yield* later(3600),
        rateLimit: { requests: 10, seconds: 60 },
        quota: { requests: 1_000_000_000_000, period: "month" },
        createdBy: "user:ada@example.com",
      })
      assert.deepStrictEqual(yield* store.insertKey(stored), stored)
      assert.deepStrictEqual(yield* store.findKey(stored.key.id), Option.some(stored.key))
      assert.deepStrictEqual(yield* store.findKey(makeKeyId()), Option.none())
      const [entry] = yield* audited("key", stored.key.id)
      const { name, scopes, models, rateLimit, quota, expiresAt } = stored.key
      assert.deepStrictEqual<unknown>(entry, {
        actor: "ada",
        action: "key.created",
        before: null,
        after: {
          name,
          scopes,
          models,
          rateLimit,
          quota,
          expiresAt: expiresAt && DateTime.formatIso(expiresAt),
        },
        reason: null,
      })
    }).pipe(Effect.provideService(Actor, "ada")),
  )

  it.effect("keys are listed newest first, page by page, revoked ones too", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const at = yield* later(3600)
      const made: Array<KeyId> = []
      for (let i = 0; i < 5; i++) {
        const stored = yield* freshKey({ createdAt: DateTime.add(at, { milliseconds: i }) })
        yield* store.insertKey(stored)
        made.push(stored.key.id)
      }
      const [first, second] = made
      if (second !== undefined) yield* store.revokeKey(second, at)
      const seen: Array<KeyId> = []
      while (first !== undefined && !seen.includes(first)) {
        const page = yield* store.listKeys({ limit: 2, after: seen.at(-1) })
        seen.push(...page.map(({ id }) => id))
        if (page.length === 0) break
      }
      assert.deepStrictEqual(
        seen.filter((id) => made.includes(id)),
        made.toReversed(),
      )
    }),
  )

  it.effect("a revoked key stays revoked, once, and is not rotated", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const stored = yield* freshKey()
      const { id } = stored.key
      yield* store.insertKey(stored)
      const [at, after] = [yield* now, yield* later(1)]
      assert.deepStrictEqual((yield* store.revokeKey(id, at)).key.revokedAt, at)
      assert.deepStrictEqual((yield* store.revokeKey(id, after)).key.revokedAt, at)
      const rotation = { hash: hashOfKeyText("new"), previousUntil: null }
      assert.strictEqual(yield* reasonOf(store.rotateKey(id, rotation)), "KeyRevoked")
      assert.strictEqual(yield* reasonOf(store.revokeKey(makeKeyId(), at)), "KeyNotFound")
      assert.strictEqual(yield* reasonOf(store.rotateKey(makeKeyId(), rotation)), "KeyNotFound")
      assert.deepStrictEqual(
        (yield* audited("key", id)).map(({ action }) => action),
        ["key.created", "key.revoked"],
      )
    }),
  )

  it.effect("a rotation keeps the hash before for as long as is said, and none before that", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const stored = yield* freshKey()
      const { id } = stored.key
      yield* store.insertKey(stored)
      const until = yield* later(60)
      const [second, third] = [hashOfKeyText("second"), hashOfKeyText("third")]
      const once = yield* store.rotateKey(id, { hash: second, previousUntil: until })
      assert.deepInclude(once, { hash: second, previousHash: stored.hash })
      assert.deepStrictEqual(once.key.previousUntil, until)
      const twice = yield* store.rotateKey(id, { hash: third, previousUntil: null })
      assert.deepInclude(twice, { hash: third, previousHash: null })
      const entries = yield* audited("key", id)
      assert.deepStrictEqual(
        entries.map(({ action }) => action),
        ["key.created", "key.rotated", "key.rotated"],
      )
      for (const hash of [stored.hash, second, third]) assert.notInclude(JSON.stringify(entries), hash)
    }),
  )

  it.effect("uses are noted for many keys at once, and never go back", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const [one, two] = [yield* freshKey(), yield* freshKey()]
      yield* store.insertKey(one)
      yield* store.insertKey(two)
      const [early, late] = [yield* now, yield* later(5)]
      const { generation } = yield* store.changesSince(-1)
      yield* store.noteUses(
        new Map([
          [one.key.id, late],
          [two.key.id, early],
          [makeKeyId(), early],
        ]),
      )
      yield* store.noteUses(
        new Map([
          [one.key.id, early],
          [two.key.id, late],
        ]),
      )
      for (const { key } of [one, two])
        assert.deepStrictEqual(
          Option.map(yield* store.findKey(key.id), ({ lastUsedAt }) => lastUsedAt),
          Option.some(late),
        )
      const uses = (yield* store.changesSince(generation)).keys.map(({ key }) => key.id)
      assert.notInclude(uses, one.key.id)
    }),
  )
}

const userTests = (it: Vitest.MethodsNonLive<Needs>) => {
  it.effect("a user is kept to the letter, found by id and email, and each email once", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const login = yield* freshLogin()
      const { user } = login
      assert.deepStrictEqual(yield* store.insertUser(login, "single sign-on"), user)
      assert.deepStrictEqual(yield* store.findUser(user.id), Option.some(user))
      assert.deepStrictEqual(yield* store.findLogin(user.email), Option.some(login))
      assert.deepStrictEqual(yield* store.findLogin("nobody\0"), Option.none())
      const same = yield* freshLogin({ email: user.email })
      assert.strictEqual(yield* reasonOf(store.insertUser(same)), "EmailTaken")
      const { name, role, disabled } = user
      assert.deepStrictEqual<unknown>(yield* audited("user", user.email), [
        {
          actor: null,
          action: "user.created",
          before: null,
          after: { name, role, disabled },
          reason: "single sign-on",
        },
      ])
    }),
  )

  it.effect("users are listed by email, page by page, also when one goes meanwhile", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const prefix = `list-${uuid()}`
      const logins = yield* Effect.forEach(["d", "b", "a", "c"], (letter) =>
        freshLogin({ email: Email.make(`${prefix}-${letter}@example.com`) }),
      )
      yield* Effect.forEach(logins, (login) => store.insertUser(login))
      const start = Email.make(`${prefix}-0@example.com`)
      const page = yield* store.listUsers({ limit: 2, after: start })
      const last = page.at(-1)
      if (last !== undefined) yield* store.deleteUser(last.id)
      const rest = yield* store.listUsers({ limit: 2, after: last?.email })
      assert.deepStrictEqual(
        [...page, ...rest].map(({ email }) => email.slice(prefix.length, prefix.length + 2)),
        ["-a", "-b", "-c", "-d"],
      )
    }),
  )

  it.effect(
    "a change of role, password or `disabled` begins a new epoch, another does not; none shows a password",
    () =>
      Effect.gen(function* () {
        const store = yield* AccessStore
        const login = yield* freshLogin({ role: "operator" })
        const { id, email } = login.user
        yield* store.insertUser(login)
        const epoch = (patch: Parameters<typeof store.updateUser>[1]) =>
          Effect.map(store.updateUser(id, patch), ({ sessionEpoch }) => sessionEpoch)
        assert.strictEqual(yield* epoch({ name: "Ada" }), 1)
        assert.strictEqual(yield* epoch({ role: "operator", disabled: false }), 1)
        assert.strictEqual(yield* epoch({ role: "viewer" }), 2)
        assert.strictEqual(yield* epoch({ disabled: true }), 3)
        assert.strictEqual(yield* epoch({ passwordHash: "scrypt$b" }), 4)
        assert.strictEqual((yield* store.endSessions(id)).sessionEpoch, 5)
        const found = yield* store.findLogin(email)
        assert.deepStrictEqual(
          Option.map(found, ({ user, passwordHash }): unknown => [
            user.name,
            user.role,
            user.disabled,
            passwordHash,
          ]),
          Option.some(["Ada", "viewer", true, "scrypt$b"]),
        )
        const entries = yield* audited("user", email)
        assert.deepStrictEqual<unknown>(
          entries.map(({ action }) => action),
          ["user.created", ...Array.from({ length: 5 }, () => "user.updated"), "user.sessions-ended"],
        )
        assert.deepInclude(entries.at(-2)?.after, { passwordChanged: true })
        assert.notInclude(JSON.stringify(entries), "scrypt")
        assert.strictEqual(yield* reasonOf(store.updateUser(UserId.make(uuid()), {})), "UserNotFound")
        assert.strictEqual(yield* reasonOf(store.endSessions(UserId.make(uuid()))), "UserNotFound")
        assert.strictEqual(yield* reasonOf(store.deleteUser(UserId.make(uuid()))), "UserNotFound")
      }),
  )

  it.effect("the last enabled admin stays one, also when all are taken away at once", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      // Those that other tests, or an earlier run, left here.
      for (const { id, role } of yield* store.listUsers({ limit: 1000 }))
        if (role === "admin") yield* Effect.ignore(store.updateUser(id, { disabled: true }))
      const logins = yield* Effect.forEach([1, 2, 3], () => freshLogin({ role: "admin" }))
      yield* Effect.forEach(logins, (login) => store.insertUser(login))
      for (const { id, role, disabled } of yield* store.listUsers({ limit: 1000 }))
        if (role === "admin" && !disabled && !logins.some(({ user }) => user.id === id))
          yield* store.updateUser(id, { disabled: true })
      const ways: ReadonlyArray<(id: UserId) => Effect.Effect<unknown, AccessError>> = [
        (id) => store.updateUser(id, { disabled: true }),
        (id) => store.updateUser(id, { role: "operator" }),
        (id) => store.deleteUser(id),
      ]
      const ends = yield* Effect.forEach(
        logins,
        ({ user }, index) =>
          Effect.match((ways[index] ?? store.deleteUser)(user.id), {
            onSuccess: () => "done",
            onFailure: ({ reason }) => reason._tag,
          }),
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(ends.toSorted(), ["LastAdmin", "done", "done"])
      const left = (yield* store.listUsers({ limit: 1000 })).filter(
        ({ role, disabled }) => role === "admin" && !disabled,
      )
      assert.strictEqual(left.length, 1)
      for (const way of ways)
        for (const { id } of left) assert.strictEqual(yield* reasonOf(way(id)), "LastAdmin")
      for (const { id } of left) yield* store.updateUser(id, { name: "still here" })
    }),
  )

  it.effect("a login is noted, and a new hash replaces only the one it was made from", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const login = yield* freshLogin()
      const { id, email } = login.user
      yield* store.insertUser(login)
      const at = yield* now
      const kept = Effect.map(store.findLogin(email), Option.getOrThrow)
      yield* store.noteLogin(id, at)
      assert.deepStrictEqual((yield* kept).user.lastLoginAt, at)
      yield* store.noteLogin(id, at, { from: "another", to: "scrypt$new" })
      assert.strictEqual((yield* kept).passwordHash, "scrypt$a")
      yield* store.noteLogin(id, at, { from: "scrypt$a", to: "scrypt$new" })
      assert.strictEqual((yield* kept).passwordHash, "scrypt$new")
      assert.strictEqual((yield* kept).user.sessionEpoch, 1)
    }),
  )
}

const changeTests = (it: Vitest.MethodsNonLive<Needs>) => {
  it.effect("what changed since a generation is told, and that something was ever made", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      yield* store.close
      const before = yield* store.changesSince(-1)
      assert.isTrue(before.closed)
      const same = yield* store.changesSince(before.generation)
      assert.deepInclude(same, { generation: before.generation, keys: [], users: [], userIds: undefined })
      const [stored, login] = [yield* freshKey(), yield* freshLogin()]
      yield* store.insertKey(stored)
      yield* store.insertUser(login)
      const made = yield* store.changesSince(before.generation)
      assert.isAbove(made.generation, before.generation)
      assert.deepStrictEqual(
        made.keys.filter(({ key }) => key.id === stored.key.id),
        [stored],
      )
      assert.deepInclude(made.users, login.user)
      assert.isTrue(made.userIds?.includes(login.user.id))
      yield* store.deleteUser(login.user.id)
      const gone = yield* store.changesSince(made.generation)
      assert.isFalse(gone.userIds?.includes(login.user.id))
      assert.isTrue(gone.closed)
    }),
  )

  it.effect("once connected, every change is announced; a read after it finds it", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const { signals } = yield* AccessChanges
      const stored = yield* freshKey()
      const { id } = stored.key
      const changes: ReadonlyArray<Effect.Effect<unknown, AccessError>> = [
        store.insertKey(stored),
        store.rotateKey(id, { hash: hashOfKeyText("x"), previousUntil: null }),
        store.revokeKey(id, yield* now),
      ]
      let next = 0
      const seen: Array<string> = []
      yield* signals.pipe(
        Stream.takeUntilEffect((signal) =>
          Effect.gen(function* () {
            seen.push(signal)
            const change = changes[next++]
            if (change === undefined) return true
            yield* change
            return false
          }),
        ),
        Stream.runDrain,
      )
      assert.deepStrictEqual(seen, ["Connected", "Changed", "Changed", "Changed"])
    }),
  )
}

/** Registers the tests; call it at the top of a test file. They disable admins, so the database must be the suite's own. */
export const suite = <E>(name: string, storeLayer: Layer.Layer<Needs, E>) =>
  withLayer(storeLayer, { timeout: "60 seconds", excludeTestServices: true })(
    `AccessStore (${name})`,
    (it) => {
      keyTests(it)
      userTests(it)
      changeTests(it)
    },
  )
