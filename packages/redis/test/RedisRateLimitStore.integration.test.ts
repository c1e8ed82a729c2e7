import { RateLimitStoreSuite } from "@modelforge/core/testing"
import { Effect, Layer } from "effect"
import { layerRedisConnection } from "../src/RedisConnection.ts"
import { layerRateLimitStoreRedis } from "../src/RedisRateLimitStore.ts"
import { redisServer } from "./TestRedis.ts"

const server = redisServer()

RateLimitStoreSuite.suite(
  "Redis",
  layerRateLimitStoreRedis.pipe(
    Layer.provide(Layer.unwrap(Effect.map(server, ({ url }) => layerRedisConnection({ url })))),
    Layer.orDie,
  ),
)
