/** Settings of `modelforge serve` about who may come from where, and how often. */
import { type IpRange, parseIpRange, RateLimit } from "@modelforge/core"
import { isOrigin, type ProtectionOptions, type ProxyHeader } from "@modelforge/http"
import { isRedisUrl } from "@modelforge/redis"
import { Config, Effect, Option, type Redacted, Schema } from "effect"
import { Flag } from "effect/cli"
import { InvalidSetting } from "./InvalidSetting.ts"

/** Several, separated by commas. */
const list = (flag: string, variable: string, description: string) =>
  Flag.String(flag).pipe(
    Flag.withFallbackConfig(Config.String(variable)),
    Flag.withDescription(`${description} (environment: ${variable})`),
    Flag.withDefault(""),
  )

export const networkFlags = {
  redisUrl: Flag.Redacted("redis-url").pipe(
    Flag.withFallbackConfig(Config.Redacted("REDIS_URL")),
    Flag.withDescription(
      "Redis in which servers count requests and failed logins together. Default: each counts by itself (environment: REDIS_URL)",
    ),
    Flag.optional,
  ),
  rateLimit: Flag.String("rate-limit").pipe(
    Flag.withFallbackConfig(Config.NonEmptyString("MODELFORGE_RATE_LIMIT")),
    Flag.withDescription(
      "Requests that a user, or a key without a limit of its own, may make in so many seconds, as 600/60. Default: any number (environment: MODELFORGE_RATE_LIMIT)",
    ),
    Flag.optional,
  ),
  corsOrigins: list(
    "cors-origins",
    "MODELFORGE_CORS_ORIGINS",
    "Sites whose pages may call, as https://app.example.com, separated by commas. Default: none",
  ),
  trustedProxies: list(
    "trusted-proxies",
    "MODELFORGE_TRUSTED_PROXIES",
    "Addresses or networks of proxies that say where requests come from, separated by commas. Default: none",
  ),
  proxyHeader: Flag.Literals("proxy-header", ["x-forwarded-for", "forwarded"]).pipe(
    Flag.withFallbackConfig(Config.Literals(["x-forwarded-for", "forwarded"], "MODELFORGE_PROXY_HEADER")),
    Flag.withDescription(
      "The header in which they say it. Default: x-forwarded-for (environment: MODELFORGE_PROXY_HEADER)",
    ),
    Flag.withDefault("x-forwarded-for" as const),
  ),
  allowedHosts: list(
    "allowed-hosts",
    "MODELFORGE_ALLOWED_HOSTS",
    "Names that the Host header may have, separated by commas. Default: any",
  ),
}

export interface NetworkFlags {
  readonly redisUrl: Option.Option<Redacted.Redacted>
  readonly rateLimit: Option.Option<string>
  readonly corsOrigins: string
  readonly trustedProxies: string
  readonly proxyHeader: ProxyHeader
  readonly allowedHosts: string
}

export interface NetworkSettings {
  readonly redisUrl: Redacted.Redacted | undefined
  readonly rateLimit: RateLimit | null
  readonly protection: ProtectionOptions
}

const refuse = (setting: string, detail: string) => Effect.fail(new InvalidSetting({ setting, detail }))

const entries = (text: string): ReadonlyArray<string> =>
  text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")

const rateLimitOf = (text: string) => {
  const [, requests, seconds] = /^(\d{1,10})\/(\d{1,5})$/.exec(text) ?? []
  const limit = { requests: Number(requests), seconds: Number(seconds) }
  return Schema.is(RateLimit)(limit)
    ? Effect.succeed(limit)
    : refuse("--rate-limit", `"${text}" is none: use requests/seconds, as 600/60, of at most a day`)
}

const originOf = (text: string) =>
  isOrigin(text)
    ? Effect.succeed(text)
    : refuse(
        "--cors-origins",
        `"${text}" is no origin: use scheme and host, and the port where it is not the scheme's own, as https://app.example.com`,
      )

const proxyOf = (text: string): Effect.Effect<IpRange, InvalidSetting> => {
  const range = parseIpRange(text)
  return range === undefined
    ? refuse(
        "--trusted-proxies",
        `"${text}" is no address or network: use one as 10.0.0.7, 10.0.0.0/8 or fd00::/8`,
      )
    : Effect.succeed(range)
}

const hostOf = (text: string) =>
  /^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])$/i.test(text)
    ? Effect.succeed(text)
    : refuse("--allowed-hosts", `"${text}" is no host: use a name or address without a port`)

export const resolveNetwork = Effect.fnUntraced(function* (flags: NetworkFlags) {
  const redisUrl = Option.getOrUndefined(flags.redisUrl)
  // Its text may hold a password.
  if (redisUrl !== undefined && !isRedisUrl(redisUrl))
    return yield* refuse("--redis-url", "it is redis://user:password@host:port/0, or rediss:// for TLS")
  const settings: NetworkSettings = {
    redisUrl,
    rateLimit: Option.isSome(flags.rateLimit) ? yield* rateLimitOf(flags.rateLimit.value) : null,
    protection: {
      corsOrigins: yield* Effect.forEach(entries(flags.corsOrigins), originOf),
      trustedProxies: yield* Effect.forEach(entries(flags.trustedProxies), proxyOf),
      proxyHeader: flags.proxyHeader,
      allowedHosts: yield* Effect.forEach(entries(flags.allowedHosts), hostOf),
    },
  }
  return settings
})
