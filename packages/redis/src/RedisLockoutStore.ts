/** `LockoutStore` on Redis: a hash for each counter, with its failures and the end of its lock, and a key for each pair remembered. */
import { LockoutStore, type LockoutSubject, lockoutRules } from "@modelforge/core"
import { Effect, Layer } from "effect"
import { RedisConnection } from "./RedisConnection.ts"
import { RedisScript } from "./RedisScript.ts"

const { freeOfPair, freeOfOthers, firstLockMs, longestLockMs, forgottenAfterMs, rememberedForMs } =
  lockoutRules

/**
 * KEYS: the pair remembered, the counters of pair and account, and of the address where there is one. ARGV: failures that
 * are free for a pair and for others, the first lock, the longest, when failures are forgotten. Gives the milliseconds to
 * wait; 0 when the attempt was counted.
 */
const attempt = new RedisScript(`
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local freeOfPair, freeOfOthers = tonumber(ARGV[1]), tonumber(ARGV[2])
local first, longest, forgotten = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]

local last = #KEYS
if redis.call("EXISTS", KEYS[1]) == 1 then last = 2 end
local wait = 0
for index = 2, last do
  wait = math.max(wait, tonumber(redis.call("HGET", KEYS[index], "until") or "0") - now)
end
if wait > 0 then return wait end

local count = function (key, free)
  local failed = redis.call("HINCRBY", key, "failed", 1)
  local ends = 0
  if failed >= free then ends = now + math.min(longest, first * 2 ^ math.min(failed - free, 20)) end
  redis.call("HSET", key, "until", string.format("%.0f", ends))
  redis.call("PEXPIRE", key, forgotten)
  return failed
end
if count(KEYS[2], freeOfPair) <= freeOfPair then count(KEYS[3], freeOfOthers) end
if KEYS[4] then count(KEYS[4], freeOfOthers) end
return 0
`)

/** KEYS as above. ARGV: failures that are free for a pair and for others, and for how long to remember the pair, 0 for not at all. */
const settle = new RedisScript(`
local freeOfPair, freeOfOthers, remembered = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local takeBack = function (key, free)
  local failed = tonumber(redis.call("HGET", key, "failed") or "0")
  if failed <= 1 then
    redis.call("DEL", key)
  else
    redis.call("HSET", key, "failed", failed - 1)
    if failed - 1 < free then redis.call("HSET", key, "until", 0) end
  end
end
if tonumber(redis.call("HGET", KEYS[2], "failed") or "0") <= freeOfPair then takeBack(KEYS[3], freeOfOthers) end
if KEYS[4] then takeBack(KEYS[4], freeOfOthers) end
if remembered > 0 then
  redis.call("DEL", KEYS[2])
  redis.call("SET", KEYS[1], 1, "PX", remembered)
else
  takeBack(KEYS[2], freeOfPair)
end
return 0
`)

/** Together, where Redis is a cluster. */
const keysOf = ({ pair, account, address }: LockoutSubject) => [
  `{lockout}:known:${pair}`,
  ...[pair, account, ...(address === undefined ? [] : [address])].map((key) => `{lockout}:${key}`),
]

const make = Effect.gen(function* () {
  const connection = yield* RedisConnection
  return LockoutStore.of({
    attempt: (subject) =>
      Effect.map(
        connection.use((redis) =>
          attempt.run(redis, keysOf(subject), [
            freeOfPair,
            freeOfOthers,
            firstLockMs,
            longestLockMs,
            forgottenAfterMs,
          ]),
        ),
        Number,
      ),
    settle: (subject, outcome) =>
      Effect.asVoid(
        connection.use((redis) =>
          settle.run(redis, keysOf(subject), [
            freeOfPair,
            freeOfOthers,
            outcome === "succeeded" ? rememberedForMs : 0,
          ]),
        ),
      ),
  })
})

export const layerLockoutStoreRedis = Layer.effect(LockoutStore, make)
