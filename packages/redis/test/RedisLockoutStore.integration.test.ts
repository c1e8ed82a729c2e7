import { LockoutStoreSuite } from "@modelforge/core/testing"
import { Effect, Layer } from "effect"
import { layerRedisConnection } from "../src/RedisConnection.ts"
import { layerLockoutStoreRedis } from "../src/RedisLockoutStore.ts"
import { redisServer } from "./TestRedis.ts"

const server = redisServer()

LockoutStoreSuite.suite(
  "Redis",
  layerLockoutStoreRedis.pipe(
    Layer.provide(Layer.unwrap(Effect.map(server, ({ url }) => layerRedisConnection({ url })))),
    Layer.orDie,
  ),
)
