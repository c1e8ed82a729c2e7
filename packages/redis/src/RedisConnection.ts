/**
 * One connection to Redis, which is there or not: a command that can't be sent now fails now, and none is sent twice. The
 * driver reconnects by itself, for as long as it takes.
 */
import { SharedStoreUnavailable } from "@modelforge/core"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { Redis } from "ioredis"

export interface RedisConnectionOptions {
  /** `redis://` or, with TLS, `rediss://`; user, password and database as usual. */
  readonly url: Redacted.Redacted
  /** What every key begins with. Default: `modelforge:`. */
  readonly keyPrefix?: string | undefined
  /** How long an answer may take, in milliseconds. Default: 500. */
  readonly patienceMs?: number | undefined
}

/** A URL that names no Redis. */
export class RedisUrlInvalid extends Schema.TaggedError<RedisUrlInvalid>()("RedisUrlInvalid", {}) {
  override get message() {
    return "The Redis URL can't be used: it is redis://user:password@host:port/0, or rediss:// for TLS"
  }
}

/** Whether a URL names a Redis. It says nothing of whether there is one. */
export const isRedisUrl = (url: Redacted.Redacted): boolean => {
  const text = Redacted.value(url)
  return /^rediss?:\/\//.test(text) && URL.canParse(text)
}

const connectTimeoutMs = 5000
const longestDelayMs = 5000
/** A server does not wait longer for Redis before it starts. */
const firstPatience = "1 second"

/** Milliseconds before the next attempt to connect. */
const retryDelay = (attempt: number) => Math.min(longestDelayMs, 50 * 2 ** Math.min(attempt, 10))

const connect = ({ url, keyPrefix = "modelforge:", patienceMs = 500 }: RedisConnectionOptions) =>
  new Redis(Redacted.value(url), {
    keyPrefix,
    commandTimeout: patienceMs,
    connectTimeout: connectTimeoutMs,
    connectionName: "modelforge",
    protocol: 2,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: retryDelay,
    // A primary that became a replica: the next connection may lead to the new one.
    reconnectOnError: ({ message }) => message.startsWith("READONLY"),
    lazyConnect: true,
  })

/** The driver's errors carry the command that failed, which may be the one with the password. */
const plain = (error: unknown) => new Error(error instanceof Error ? error.message : String(error))

export class RedisConnection extends Context.Service<
  RedisConnection,
  {
    /** Fails when Redis does not answer in time, or refuses. */
    readonly use: <A>(command: (redis: Redis) => Promise<A>) => Effect.Effect<A, SharedStoreUnavailable>
  }
>()("@modelforge/redis/RedisConnection") {
  static readonly make = Effect.fnUntraced(function* (options: RedisConnectionOptions) {
    if (!isRedisUrl(options.url)) return yield* Effect.fail(new RedisUrlInvalid())
    const context = yield* Effect.context<never>()
    const log = Effect.runForkWith(context)
    const redis = yield* Effect.acquireRelease(
      Effect.sync(() => connect(options)),
      (redis) => Effect.sync(() => redis.disconnect()),
    )
    // Without a listener an error would end the process. Of an outage, one is enough.
    let isOut = false
    redis.on("error", (error) => {
      if (!isOut) log(Effect.logWarning("Redis does not answer; the server goes on without it", plain(error)))
      isOut = true
    })
    redis.on("ready", () => {
      if (isOut) log(Effect.logInfo("Redis answers again"))
      isOut = false
    })
    // A failure is told above, and it is tried again. Where it comes soon, the first requests are shared already.
    const connected = redis.connect().catch(() => {})
    yield* Effect.timeoutOption(
      Effect.promise(() => connected),
      firstPatience,
    )
    return RedisConnection.of({
      use: (command) =>
        Effect.tryPromise({
          try: () => command(redis),
          catch: (error) => new SharedStoreUnavailable({ cause: plain(error) }),
        }),
    })
  })
}

/** Fails with `RedisUrlInvalid`; not when Redis does not answer, which may change: then it is there after a second. */
export const layerRedisConnection = (options: RedisConnectionOptions) =>
  Layer.effect(RedisConnection, RedisConnection.make(options))
