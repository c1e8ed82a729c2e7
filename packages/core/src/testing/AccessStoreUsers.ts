/** How an access store keeps users and what they sign in with. */
import { assert, type Vitest } from "@effect/vitest"
import { Effect, Option } from "effect"
import type { AccessError } from "../access/AccessError.ts"
import { AccessStore } from "../access/AccessStore.ts"
import { Email, UserId } from "../model/User.ts"
import { audited, freshLogin, type Needs, now, reasonOf } from "./AccessStoreFixtures.ts"
import { uuid } from "./RegistryStoreFixtures.ts"

export const userTests = (it: Vitest.MethodsNonLive<Needs>) => {
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
