import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { SharedStoreUnavailable } from "@modelforge/core"
import { Effect, Layer, Logger, Redacted } from "effect"
import { isRedisUrl, layerRedisConnection, RedisConnection, RedisUrlInvalid } from "../src/RedisConnection.ts"
import { redisServer, TestRedis } from "./TestRedis.ts"

const server = redisServer()

const ping = RedisConnection.use((connection) => connection.use((redis) => redis.ping()))

/** Asks until Redis answers: it connects in the background. */
const answered = Effect.eventually(Effect.tapError(ping, () => Effect.yieldNow))

/** What is logged meanwhile. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message, cause }) => {
    lines.push(inspect([message, cause], { depth: 10 }))
  })
  return Effect.as(Effect.provide(effect, Logger.layer([logger])), lines)
}

describe("a connection", () => {
  it.live("is made in the background, and keeps its keys apart from others'", () =>
    Effect.gen(function* () {
      const { url } = yield* server
      const keys = yield* Effect.gen(function* () {
        yield* answered
        const { use } = yield* RedisConnection
        yield* use((redis) => redis.set("one", "1"))
        return yield* use((redis) => redis.keys("*one"))
      }).pipe(Effect.provide(layerRedisConnection({ url, keyPrefix: "test:" })))
      assert.deepStrictEqual(keys, ["test:one"])
    }),
  )

  it.live("that can't be made fails every command at once, is logged once, and comes when it can", () =>
    Effect.gen(function* () {
      const redis = yield* TestRedis.make()
      yield* redis.kill
      const lines = yield* logged(
        Effect.gen(function* () {
          for (let time = 0; time < 100; time++)
            assert.instanceOf(yield* Effect.flip(ping), SharedStoreUnavailable)
          yield* redis.start
          yield* answered
        }).pipe(Effect.provide(layerRedisConnection({ url: redis.url }))),
      )
      assert.strictEqual(lines.filter((line) => line.includes("does not answer")).length, 1)
      assert.strictEqual(lines.filter((line) => line.includes("answers again")).length, 1)
    }),
  )

  it.live("takes the password of the URL, which nothing shows that is logged or fails", () =>
    Effect.gen(function* () {
      const { url, port } = yield* TestRedis.make("open-sesame")
      assert.strictEqual(yield* answered.pipe(Effect.provide(layerRedisConnection({ url }))), "PONG")
      const wrong = Redacted.make(`redis://:wrong-secret@127.0.0.1:${port}`)
      let failure: unknown
      const lines = yield* logged(
        Effect.gen(function* () {
          for (let time = 0; time < 20; time++) {
            failure = yield* Effect.flip(ping)
            yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
          }
        }).pipe(Effect.provide(layerRedisConnection({ url: wrong }))),
      )
      assert.notInclude([...lines, inspect(failure, { depth: 10 })].join("\n"), "wrong-secret")
    }),
  )

  it.effect("is refused a URL that names no Redis, whose text is not told either", () =>
    Effect.gen(function* () {
      for (const text of [
        "",
        "localhost:6379",
        "http://localhost",
        "/tmp/redis.sock",
        "redis://:secret@[::1",
      ]) {
        const url = Redacted.make(text)
        assert.isFalse(isRedisUrl(url), text)
        const error = yield* Effect.flip(Layer.build(layerRedisConnection({ url })))
        assert.instanceOf(error, RedisUrlInvalid)
        assert.notInclude(inspect(error), "secret")
      }
      for (const text of ["redis://localhost", "rediss://user:pass@host:6380/2"])
        assert.isTrue(isRedisUrl(Redacted.make(text)), text)
    }),
  )
})
