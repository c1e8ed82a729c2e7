import { assert, describe, it } from "@effect/vitest"
import { parseIpRange } from "@modelforge/core"
import { Effect, Option, Redacted } from "effect"
import { type NetworkFlags, resolveNetwork } from "../src/networkSettings.ts"

const flags: NetworkFlags = {
  redisUrl: Option.none(),
  rateLimit: Option.none(),
  corsOrigins: "",
  trustedProxies: "",
  proxyHeader: "x-forwarded-for",
  allowedHosts: "",
}

const resolve = (given: Partial<NetworkFlags>) => resolveNetwork({ ...flags, ...given })
const refusal = (given: Partial<NetworkFlags>) => Effect.map(Effect.flip(resolve(given)), String)

describe("resolveNetwork", () => {
  it.effect("lets nobody in and limits nobody unless it is told to", () =>
    Effect.map(resolve({}), (settings) =>
      assert.deepStrictEqual(settings, {
        redisUrl: undefined,
        rateLimit: null,
        protection: { corsOrigins: [], trustedProxies: [], proxyHeader: "x-forwarded-for", allowedHosts: [] },
      }),
    ),
  )

  it.effect("takes lists with commas", () =>
    Effect.gen(function* () {
      const redisUrl = Redacted.make("rediss://user:secret@redis.internal:6380/1")
      const settings = yield* resolve({
        redisUrl: Option.some(redisUrl),
        rateLimit: Option.some("600/60"),
        corsOrigins: "https://app.example.com, http://localhost:3000,",
        trustedProxies: "10.0.0.0/8,::1",
        proxyHeader: "forwarded",
        allowedHosts: "api.example.com, [::1]",
      })
      assert.deepStrictEqual(settings, {
        redisUrl,
        rateLimit: { requests: 600, seconds: 60 },
        protection: {
          corsOrigins: ["https://app.example.com", "http://localhost:3000"],
          trustedProxies: [parseIpRange("10.0.0.0/8") ?? assert.fail(), parseIpRange("::1") ?? assert.fail()],
          proxyHeader: "forwarded",
          allowedHosts: ["api.example.com", "[::1]"],
        },
      })
    }),
  )

  it.effect("refuses what it can't use, and says what to do; secrets are not told", () =>
    Effect.gen(function* () {
      for (const [given, detail] of [
        [{ rateLimit: Option.some("600") }, /--rate-limit: "600" is none: use requests\/seconds/],
        [{ rateLimit: Option.some("0/60") }, /--rate-limit/],
        [{ rateLimit: Option.some("1/86401") }, /--rate-limit/],
        [{ corsOrigins: "*" }, /--cors-origins: "\*" is no origin/],
        [
          { corsOrigins: "https://ok.com,https://app.example.com/" },
          /"https:\/\/app.example.com\/" is no origin/,
        ],
        [{ trustedProxies: "10.0.0.1/8" }, /--trusted-proxies: "10.0.0.1\/8" is no address or network/],
        [{ trustedProxies: "proxy.internal" }, /--trusted-proxies/],
        [{ allowedHosts: "api.example.com:8080" }, /--allowed-hosts: "api.example.com:8080" is no host/],
        [{ redisUrl: Option.some(Redacted.make("http://:secret@redis")) }, /--redis-url: it is redis:\/\//],
      ] as const)
        assert.match(yield* refusal(given), detail)
      const withSecret = yield* refusal({ redisUrl: Option.some(Redacted.make("http://:secret@redis")) })
      assert.notInclude(withSecret, "secret")
    }),
  )
})
