import { assert, it } from "@effect/vitest"
import {
  AccessTable,
  ApiKeys,
  Authentication,
  Email,
  layerAccess,
  PasswordCost,
  UserId,
  Users,
} from "@modelforge/core"
import { AccessStoreSuite } from "@modelforge/core/testing"
import { Context, Effect, Layer, Option, Redacted, Result, Schedule } from "effect"
import { layer } from "../src/PostgresStores.ts"
import { administer, freshDatabase, testServer } from "./TestPostgres.ts"

const server = testServer()

// One database, so that the second run finds what the first left there.
const stores = Layer.unwrap(Effect.map(server, ({ socketPath }) => layer({ socketPath })))
AccessStoreSuite.suite("PostgreSQL", stores)
AccessStoreSuite.suite("PostgreSQL, the same database again", stores)

/** Access with a pool of its own, as another process would have it. */
const open = (url: Redacted.Redacted, applicationName: string) =>
  Effect.map(
    Layer.build(
      Layer.fresh(
        layerAccess().pipe(
          Layer.provide(layer({ url, applicationName })),
          Layer.provide(Layer.succeed(PasswordCost, { logN: 10, r: 8, p: 1 })),
        ),
      ),
    ),
    (context) => ({
      keys: Context.get(context, ApiKeys),
      users: Context.get(context, Users),
      authentication: Context.get(context, Authentication),
      table: Context.get(context, AccessTable),
    }),
  )

const draft = {
  name: "ci",
  scopes: ["predict"],
  models: null,
  expiresAt: null,
  rateLimit: null,
  quota: null,
} as const

/** Asks again until it is so, for a second: that is the promise. */
const within = (seconds: number, holds: () => boolean) =>
  Effect.sync(holds).pipe(
    Effect.repeat({ until: (so) => so, schedule: Schedule.spaced("10 millis") }),
    Effect.timeout(`${seconds} seconds`),
  )

const why = (authentication: Authentication["Service"], secret: Redacted.Redacted) =>
  Result.match(authentication.identify({ authorization: undefined, apiKey: Redacted.value(secret) }), {
    onSuccess: ({ _tag }) => _tag,
    onFailure: ({ why }) => why,
  })

it.live("what one server makes, rotates, revokes or removes is so on another within a second", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    const [one, two] = [yield* open(url, "one"), yield* open(url, "two")]
    assert.isFalse(two.authentication.closed())
    const { key, secret } = yield* one.keys.create(draft)
    assert.strictEqual(why(one.authentication, secret), "Key")
    yield* within(1, () => why(two.authentication, secret) === "Key")
    assert.isTrue(two.authentication.closed())
    const rotated = yield* two.keys.rotate(key.id)
    assert.strictEqual(why(two.authentication, secret), "wrong")
    yield* within(1, () => why(one.authentication, secret) === "wrong")
    assert.strictEqual(why(one.authentication, rotated.secret), "Key")
    yield* one.keys.revoke(key.id)
    assert.strictEqual(why(one.authentication, rotated.secret), "revoked")
    yield* within(1, () => why(two.authentication, rotated.secret) === "revoked")
    const user = yield* one.users.ensureFromSso(Email.make("ada@example.com"), "Ada")
    yield* within(1, () => two.table.user(user.id) !== undefined)
    yield* one.users.remove(user.id)
    yield* within(1, () => two.table.user(user.id) === undefined)
    assert.isUndefined(one.table.user(UserId.make(user.id)))
    // Closed for good: also for whoever starts now.
    const three = yield* open(url, "three")
    assert.isTrue(three.authentication.closed())
  }).pipe(Effect.scoped),
)

it.live(
  "while the database is away what is known stays valid, and says so; what was missed is read after",
  () =>
    Effect.gen(function* () {
      const postgres = yield* server
      const url = yield* freshDatabase(postgres)
      const [one, two] = [yield* open(url, "one"), yield* open(url, "lost")]
      const { key, secret } = yield* one.keys.create(draft)
      yield* within(1, () => why(two.authentication, secret) === "Key")
      const database = new URL(Redacted.value(url)).pathname.slice(1)
      const allow = (allowed: boolean) =>
        administer(postgres, `ALTER DATABASE ${database} WITH ALLOW_CONNECTIONS ${allowed}`)
      yield* allow(false)
      yield* administer(
        postgres,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'lost'",
      )
      yield* within(2, () => Option.isSome(two.table.outOfReachSince()))
      yield* one.keys.revoke(key.id)
      assert.strictEqual(why(two.authentication, secret), "Key")
      yield* allow(true)
      yield* within(10, () => why(two.authentication, secret) === "revoked")
      assert.isTrue(Option.isNone(two.table.outOfReachSince()))
    }).pipe(Effect.scoped),
)
