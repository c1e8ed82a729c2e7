/**
 * `RateLimitStore` on Redis: a hash of the window's buckets for the rate, a number for the quota's period. Both are decided
 * and counted by one script. Time is Redis' own, so that servers' clocks need not agree; only the names of periods come from
 * the servers.
 */
import { type Limits, type Quota, quotaPeriod, type RateLimitAsk, RateLimitStore } from "@modelforge/core"
import { Clock, Effect, Layer } from "effect"
import { RedisConnection } from "./RedisConnection.ts"
import { RedisScript } from "./RedisScript.ts"

/** Of the window, one that it touches, and one for the leeway of grants. */
const bucketsOfWindow = 64
const buckets = bucketsOfWindow + 2

/**
 * KEYS: hash of the rate, number of the quota. ARGV: wanted; limit of the rate or -1, milliseconds of a bucket, buckets;
 * limit of the quota or -1, when its period can be forgotten; requests to give back and their stamp, and how many of them to
 * the quota. Gives: granted, now, what is left of the rate, milliseconds until more is, what is left of the quota.
 */
const take = new RedisScript(`
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local granted = tonumber(ARGV[1])
local rate, bucket, buckets = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local quota, forgotten = tonumber(ARGV[5]), ARGV[6]
local unused, stamp, unusedOfQuota = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local text = function (number) return string.format("%.0f", number) end

local newest, oldest, total = 0, nil, 0
if rate >= 0 then
  newest = math.floor(now / bucket)
  local given = math.floor(stamp / bucket)
  local counts = redis.call("HGETALL", KEYS[1])
  for index = 1, #counts, 2 do
    local number, count = tonumber(counts[index]), tonumber(counts[index + 1])
    if number == given and unused > 0 then
      count = math.max(0, count - unused)
      redis.call("HSET", KEYS[1], counts[index], text(count))
    end
    if number <= newest - buckets or count == 0 then
      redis.call("HDEL", KEYS[1], counts[index])
    else
      total = total + count
      if oldest == nil or number < oldest then oldest = number end
    end
  end
  granted = math.min(granted, math.max(0, rate - total))
end

local used = 0
if quota >= 0 then
  used = tonumber(redis.call("GET", KEYS[2]) or "0")
  local back = math.min(used, unusedOfQuota)
  if back > 0 then used = redis.call("DECRBY", KEYS[2], text(back)) end
  granted = math.min(granted, math.max(0, quota - used))
end

if granted > 0 and rate >= 0 then
  redis.call("HINCRBY", KEYS[1], text(newest), text(granted))
  redis.call("PEXPIRE", KEYS[1], text(math.ceil(bucket * buckets)))
  total = total + granted
  if oldest == nil then oldest = newest end
end
if granted > 0 and quota >= 0 then
  used = redis.call("INCRBY", KEYS[2], text(granted))
  redis.call("PEXPIREAT", KEYS[2], forgotten)
end

local reset = 0
if oldest ~= nil then reset = math.ceil((oldest + buckets) * bucket - now) end
return { granted, now, math.max(0, rate - total), reset, math.max(0, quota - used) }
`)

/** Servers whose clocks go wrong may still be in a period that is over for others. */
const graceMs = 86_400_000

/** Redis Cluster keeps keys together that have the same text in braces. */
const keysOf = (subject: string, { rate }: Limits, startsAt: number | undefined) => [
  `rate:{${subject}}:${rate?.seconds ?? 0}`,
  `quota:{${subject}}:${startsAt ?? 0}`,
]

const isNumbers = (reply: unknown): reply is ReadonlyArray<number> =>
  Array.isArray(reply) && reply.every((value) => typeof value === "number")

const periodOf = (quota: Quota | null, at: number) =>
  quota === null ? undefined : quotaPeriod(quota.period, at)

const make = Effect.gen(function* () {
  const connection = yield* RedisConnection
  const clock = yield* Clock.Clock

  const argumentsOf = ({ limits, wanted, unused }: RateLimitAsk, date: number) => {
    const { rate, quota } = limits
    const period = periodOf(quota, date)
    const isSamePeriod = unused !== undefined && periodOf(quota, unused.stamp)?.startsAt === period?.startsAt
    return [
      wanted,
      rate?.requests ?? -1,
      ((rate?.seconds ?? 1) * 1000) / bucketsOfWindow,
      buckets,
      quota?.requests ?? -1,
      (period?.endsAt ?? 0) + graceMs,
      unused?.requests ?? 0,
      unused?.stamp ?? 0,
      isSamePeriod ? unused.requests : 0,
    ]
  }

  return RateLimitStore.of({
    take: Effect.fnUntraced(function* (ask) {
      const { subject, limits } = ask
      const date = clock.currentTimeMillisUnsafe()
      const period = periodOf(limits.quota, date)
      const reply = yield* connection.use((redis) =>
        take.run(redis, keysOf(subject, limits, period?.startsAt), argumentsOf(ask, date)),
      )
      const [granted = 0, stamp = 0, remaining = 0, resetMs = 0, ofQuota = 0] = isNumbers(reply) ? reply : []
      return {
        granted,
        stamp,
        rate: limits.rate === null ? null : { remaining, resetMs },
        quota: period === undefined ? null : { remaining: ofQuota, resetMs: period.endsAt - date },
      }
    }),
  })
})

export const layerRateLimitStoreRedis = Layer.effect(RateLimitStore, make)
