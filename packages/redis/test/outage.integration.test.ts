/** Redis killed under load, and started again: limits go on, by each server alone for a while. */
import { assert, it } from "@effect/vitest"
import {
  type Allowance,
  ApiKey,
  ForgeConfig,
  type Identity,
  KeyId,
  LoginLockout,
  RateLimits,
  type Taken,
} from "@modelforge/core"
import { Context, DateTime, Effect, Layer, Result } from "effect"
import { layerRedisConnection } from "../src/RedisConnection.ts"
import { layerLockoutStoreRedis } from "../src/RedisLockoutStore.ts"
import { layerRateLimitStoreRedis } from "../src/RedisRateLimitStore.ts"
import { redisServer, TestRedis } from "./TestRedis.ts"

const server = redisServer()

let keys = 0
const keyWith = (requests: number, seconds: number): Identity => ({
  _tag: "Key",
  key: new ApiKey({
    id: KeyId.make(`outage${String(keys++).padStart(6, "0")}`),
    name: "outage",
    scopes: ["predict"],
    models: null,
    expiresAt: null,
    rateLimit: { requests, seconds },
    quota: null,
    createdAt: DateTime.makeUnsafe(0),
    createdBy: null,
    lastUsedAt: null,
    previousUntil: null,
    revokedAt: null,
  }),
})

/** Servers of their own connections. */
const open = (redis: TestRedis["Service"], servers: number) =>
  Effect.forEach(Array.from({ length: servers }), () =>
    Layer.build(
      Layer.fresh(
        Layer.mergeAll(RateLimits.layerShared, LoginLockout.layerShared).pipe(
          Layer.provide([layerRateLimitStoreRedis, layerLockoutStoreRedis]),
          Layer.provide(layerRedisConnection({ url: redis.url })),
          Layer.provide(ForgeConfig.layer()),
        ),
      ),
    ),
  )

type Server = Effect.Success<ReturnType<typeof open>>[number]

const take = (opened: Server, identity: Identity): Promise<Taken> =>
  Promise.resolve(Context.get(opened, RateLimits).take(identity))

/** So many requests, on each server in turn, many at once; gives how many were let through. */
const load = async (servers: ReadonlyArray<Server>, identity: Identity, requests: number) => {
  let allowed = 0
  for (let sent = 0; sent < requests; sent += 50) {
    const batch = Array.from({ length: 50 }, (_, index) => {
      const opened = servers[(sent + index) % servers.length]
      return opened === undefined ? undefined : take(opened, identity)
    })
    for (const taken of await Promise.all(batch))
      if (taken !== undefined && Result.isSuccess(taken)) allowed++
  }
  return allowed
}

/** A request that Redis answered says what others have used. */
const sharesAgain = (servers: ReadonlyArray<Server>, limit: number) =>
  Effect.promise(async () => {
    for (;;) {
      const identity = keyWith(limit, 3600)
      let last: Allowance | undefined
      for (const opened of servers) {
        const taken = await take(opened, identity)
        last = Result.isSuccess(taken) ? taken.success : undefined
      }
      if (last?.rate?.remaining === limit - servers.length) return
      await new Promise((resolve) => setImmediate(resolve))
    }
  })

it.live("servers on one Redis let through what the limit says, together", () =>
  Effect.gen(function* () {
    const servers = yield* open(yield* server, 4)
    yield* sharesAgain(servers, 100)
    for (const limit of [1, 10, 137, 5000]) {
      const allowed = yield* Effect.promise(() => load(servers, keyWith(limit, 3600), 2 * limit + 500))
      assert.isAtMost(allowed, limit)
      assert.isAtLeast(allowed, Math.floor(0.95 * limit))
    }
  }),
)

it.live("killed under load, it takes no request along, and no server lets more through than the limit", () =>
  Effect.gen(function* () {
    const redis = yield* TestRedis.make()
    const servers = yield* open(redis, 3)
    yield* sharesAgain(servers, 100)
    const identity = keyWith(400, 3600)
    const before = yield* Effect.promise(() => load(servers, identity, 150))
    assert.strictEqual(before, 150)
    const during = Effect.promise(() => load(servers, identity, 3000))
    const [allowed] = yield* Effect.all([during, redis.kill], { concurrency: 2 })
    assert.isAtLeast(before + allowed, 400)
    assert.isAtMost(before + allowed, 3 * 400)
    // While it is away, the decisions take no time.
    const other = keyWith(10, 3600)
    const began = performance.now()
    assert.strictEqual(yield* Effect.promise(() => load(servers, other, 3000)), 30)
    assert.isBelow(performance.now() - began, 2000)

    yield* redis.start
    yield* sharesAgain(servers, 100)
    // Redis has forgotten all: the servers have not.
    const after = yield* Effect.promise(() => load(servers, identity, 3000))
    assert.isAtMost(before + allowed + after, 3 * 400)
  }),
)

it.live("logins are locked by all servers together, and by each alone while it is away", () =>
  Effect.gen(function* () {
    const redis = yield* TestRedis.make()
    const servers = yield* open(redis, 2)
    yield* sharesAgain(servers, 100)
    const fails = (opened: Server, email: string) =>
      Effect.isFailure(Context.get(opened, LoginLockout).attempt({ email, address: "192.0.2.1" }))
    const counted = (opened: Server, email: string, times: number) =>
      Effect.gen(function* () {
        for (let time = 0; time < times; time++) assert.isFalse(yield* fails(opened, email))
      })
    const [one, other] = servers
    if (one === undefined || other === undefined) throw new Error("two servers were opened")
    yield* counted(one, "ada@example.com", 3)
    yield* counted(other, "ada@example.com", 2)
    assert.isTrue(yield* fails(one, "ada@example.com"))
    yield* redis.kill
    yield* counted(one, "bob@example.com", 5)
    assert.isTrue(yield* fails(one, "bob@example.com"))
    yield* counted(other, "bob@example.com", 1)
  }),
)
