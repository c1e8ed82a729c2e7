import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Option, Redacted } from "effect"
import { resolveSettings, type ServeFlags } from "../src/ServeSettings.ts"

const secret = "0123456789abcdef0123456789abcdef"

const flags: ServeFlags = {
  host: "127.0.0.1",
  port: 8080,
  dataDir: ".modelforge",
  databaseUrl: Option.none(),
  redisUrl: Option.none(),
  artifacts: Option.none(),
  artifactCacheBytes: 1000,
  maxUploadBytes: 1000,
  maxUnfinishedBytes: 2000,
  uploadExpiryHours: 12,
  maxRequestBytes: 1000,
  modelMemoryBytes: Option.none(),
  runnerMemoryBytes: Option.none(),
  graceSeconds: Option.none(),
  examples: false,
  rateLimit: Option.none(),
  corsOrigins: "",
  trustedProxies: "",
  proxyHeader: "x-forwarded-for",
  allowedHosts: "",
}

const resolve = (given: Partial<ServeFlags>, environment: Record<string, string> = {}) =>
  resolveSettings({ ...flags, ...given }).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env: environment })),
  )

const refusal = (...args: Parameters<typeof resolve>) => Effect.map(Effect.flip(resolve(...args)), String)

describe("resolveSettings", () => {
  it.effect("takes what fits as it is", () =>
    Effect.gen(function* () {
      const databaseUrl = Redacted.make("postgres://u@h/d")
      const settings = yield* resolve(
        {
          databaseUrl: Option.some(databaseUrl),
          modelMemoryBytes: Option.some(2 ** 33),
          graceSeconds: Option.some(7),
          examples: true,
        },
        { SECRET_KEY: secret },
      )
      assert.deepStrictEqual(settings, {
        host: "127.0.0.1",
        port: 8080,
        dataDirectory: ".modelforge",
        databaseUrl,
        secretKey: Redacted.make(secret),
        artifacts: undefined,
        artifactCacheBytes: 1000,
        maxArtifactBytes: 1000,
        maxUploadsBytes: 2000,
        uploadExpiryHours: 12,
        maxRequestBytes: 1000,
        modelMemoryBytes: 2 ** 33,
        runnerMemoryBytes: undefined,
        graceSeconds: 7,
        examples: true,
        network: {
          redisUrl: undefined,
          rateLimit: null,
          protection: {
            corsOrigins: [],
            trustedProxies: [],
            proxyHeader: "x-forwarded-for",
            allowedHosts: [],
          },
        },
        mayBeOpen: true,
        adminKey: undefined,
        dashboardPublicKey: undefined,
      })
    }),
  )

  it.effect("takes a secret of 32 bytes; without one, only an embedded database goes on", () =>
    Effect.gen(function* () {
      assert.isUndefined((yield* resolve({})).secretKey)
      assert.isDefined((yield* resolve({}, { SECRET_KEY: "é".repeat(16) })).secretKey)
      const short = yield* refusal({}, { SECRET_KEY: "short-and-secret" })
      assert.match(short, /SECRET_KEY: it has less than 32 bytes; make one with/)
      assert.notInclude(short, "short-and-secret")
      const databaseUrl = Option.some(Redacted.make("postgres://u@h/d"))
      assert.match(yield* refusal({ databaseUrl }), /SECRET_KEY: a server with a database of yours needs/)
    }),
  )

  it.effect("has no grace period unless one is asked for", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* resolve({})).graceSeconds, 0)
    }),
  )

  it.effect("may be open where only this machine reaches it, and not in production", () =>
    Effect.gen(function* () {
      for (const host of ["127.0.0.1", "127.1.2.3", "localhost", "::1"]) {
        const settings = yield* resolve({ host })
        assert.deepStrictEqual([settings.host, settings.mayBeOpen], [host, true])
        assert.isFalse((yield* resolve({ host }, { ENVIRONMENT: "production" })).mayBeOpen, host)
      }
      for (const host of ["0.0.0.0", "::", "192.168.0.7", "127.0.0.1.example", "example.com"])
        assert.isFalse((yield* resolve({ host })).mayBeOpen, host)
    }),
  )

  it.effect("knows development and production", () =>
    Effect.gen(function* () {
      for (const mode of ["development", "production", ""]) yield* resolve({}, { ENVIRONMENT: mode })
      assert.include(yield* refusal({}, { ENVIRONMENT: "prod" }), 'ENVIRONMENT: "prod" is unknown')
    }),
  )

  it.effect("takes the operator's key and the dashboard's from the environment only", () =>
    Effect.gen(function* () {
      const { adminKey, dashboardPublicKey } = yield* resolve(
        {},
        { MODELFORGE_ADMIN_KEY: "x".repeat(32), MODELFORGE_DASHBOARD_PUBLIC_KEY: "y" },
      )
      assert.strictEqual(adminKey && Redacted.value(adminKey), "x".repeat(32))
      assert.strictEqual(dashboardPublicKey, "y")
    }),
  )

  it.effect("keeps artifacts in a folder or in S3", () =>
    Effect.gen(function* () {
      for (const url of ["file:/srv/models", "s3://bucket/prefix"])
        assert.strictEqual((yield* resolve({ artifacts: Option.some(url) })).artifacts, url)
    }),
  )

  it.effect("refuses artifacts elsewhere", () =>
    Effect.gen(function* () {
      for (const url of [
        "/srv/models",
        "http://host/models",
        "file:",
        "file:/%zz",
        "gs://bucket",
        "s3:bucket",
      ])
        assert.include(
          yield* refusal({ artifacts: Option.some(url) }),
          `--artifacts: "${url}" is not a storage: use file:/a/folder or s3://bucket/prefix`,
        )
    }),
  )

  it.effect("refuses numbers out of range by the name of their flag", () =>
    Effect.gen(function* () {
      const cases = [
        [{ port: 65_536 }, "--port: 65536 is out of range: use 0 to 65535"],
        [{ port: -1 }, "--port: -1 is out of range: use 0 to 65535"],
        [{ artifactCacheBytes: 0 }, "--artifact-cache-bytes: 0 is out of range"],
        [{ maxUploadBytes: 0 }, "--max-upload-bytes: 0 is out of range: use 1 to 2147483647"],
        [{ maxUploadBytes: 2 ** 31 }, "--max-upload-bytes: 2147483648 is out of range"],
        [{ maxUnfinishedBytes: -1 }, "--max-unfinished-bytes: -1 is out of range: use 0 to"],
        [{ uploadExpiryHours: 0 }, "--upload-expiry-hours: 0 is out of range: use 1 to 8760"],
        [{ maxRequestBytes: 0 }, "--max-request-bytes: 0 is out of range"],
        [{ modelMemoryBytes: Option.some(512) }, "--model-memory-bytes: 512 is out of range: use 1048576 to"],
        [{ runnerMemoryBytes: Option.some(0) }, "--runner-memory-bytes: 0 is out of range"],
        [{ graceSeconds: Option.some(-1) }, "--grace-seconds: -1 is out of range: use 0 to 3600"],
      ] as const
      for (const [given, message] of cases) assert.include(yield* refusal(given), message)
    }),
  )
})
