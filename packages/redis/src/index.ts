export {
  isRedisUrl,
  layerRedisConnection,
  type RedisConnection,
  type RedisConnectionOptions,
  RedisUrlInvalid,
} from "./RedisConnection.ts"
export { layerLockoutStoreRedis } from "./RedisLockoutStore.ts"
export { layerRateLimitStoreRedis } from "./RedisRateLimitStore.ts"
