/** Settings of `modelforge serve`: flags first, then environment, then defaults. */
import { minSecretBytes } from "@modelforge/core"
import { isLoopbackHost } from "@modelforge/http/node"
import { Config, Effect, Option, Redacted } from "effect"
import { Flag } from "effect/cli"
import { artifactsUrlTrouble, parseArtifactsUrl } from "./artifacts.ts"
import { InvalidSetting } from "./InvalidSetting.ts"
import { type NetworkFlags, type NetworkSettings, networkFlags, resolveNetwork } from "./networkSettings.ts"

const text = (flag: string, variable: string, description: string) =>
  Flag.String(flag).pipe(
    Flag.withFallbackConfig(Config.NonEmptyString(variable)),
    Flag.withDescription(`${description} (environment: ${variable})`),
  )

export const serveFlags = {
  host: text("host", "MODELFORGE_HOST", "Address to listen on. Default: 127.0.0.1").pipe(
    Flag.withDefault("127.0.0.1"),
  ),
  port: Flag.Int("port").pipe(
    Flag.withFallbackConfig(Config.Int("MODELFORGE_PORT")),
    Flag.withFallbackConfig(Config.Int("PORT")),
    Flag.withDescription(
      "Port to listen on, 0 for any that is free. Default: 8080 (environment: MODELFORGE_PORT, PORT)",
    ),
    Flag.withDefault(8080),
  ),
  dataDir: text("data-dir", "MODELFORGE_DATA_DIR", "Folder of the data. Default: .modelforge").pipe(
    Flag.withDefault(".modelforge"),
  ),
  databaseUrl: Flag.Redacted("database-url").pipe(
    Flag.withFallbackConfig(Config.Redacted("DATABASE_URL")),
    Flag.withDescription(
      "PostgreSQL to use. Default: an embedded one in the data folder (environment: DATABASE_URL)",
    ),
    Flag.optional,
  ),
  artifacts: text(
    "artifacts",
    "MODELFORGE_ARTIFACTS_URL",
    "Where model files are kept, file:/a/folder or s3://bucket/prefix. Default: in the data folder",
  ).pipe(Flag.optional),
  artifactCacheBytes: Flag.Int("artifact-cache-bytes").pipe(
    Flag.withFallbackConfig(Config.Int("MODELFORGE_ARTIFACT_CACHE_BYTES")),
    Flag.withDescription(
      "What the data folder may hold of model files that are kept in S3. Default: 10737418240 (environment: MODELFORGE_ARTIFACT_CACHE_BYTES)",
    ),
    Flag.withDefault(10 * 2 ** 30),
  ),
  maxUploadBytes: Flag.Int("max-upload-bytes").pipe(
    Flag.withFallbackConfig(Config.Int("MODELFORGE_MAX_UPLOAD_BYTES")),
    Flag.withDescription(
      "Largest model file taken. Default: 2147483647 (environment: MODELFORGE_MAX_UPLOAD_BYTES)",
    ),
    Flag.withDefault(2 ** 31 - 1),
  ),
  maxUnfinishedBytes: Flag.Int("max-unfinished-bytes").pipe(
    Flag.withFallbackConfig(Config.Int("MODELFORGE_MAX_UNFINISHED_BYTES")),
    Flag.withDescription(
      "What unfinished uploads may take together. Default: 34359738368 (environment: MODELFORGE_MAX_UNFINISHED_BYTES)",
    ),
    Flag.withDefault(32 * 2 ** 30),
  ),
  uploadExpiryHours: Flag.Int("upload-expiry-hours").pipe(
    Flag.withFallbackConfig(Config.Int("MODELFORGE_UPLOAD_EXPIRY_HOURS")),
    Flag.withDescription(
      "How long an unfinished upload is kept that nobody goes on with. Default: 24 (environment: MODELFORGE_UPLOAD_EXPIRY_HOURS)",
    ),
    Flag.withDefault(24),
  ),
  maxRequestBytes: Flag.Int("max-request-bytes").pipe(
    Flag.withFallbackConfig(Config.Int("MODELFORGE_MAX_REQUEST_BYTES")),
    Flag.withDescription(
      "Largest body of a prediction. Default: 67108864 (environment: MODELFORGE_MAX_REQUEST_BYTES)",
    ),
    Flag.withDefault(64 * 2 ** 20),
  ),
  modelMemoryBytes: Flag.Int("model-memory-bytes").pipe(
    Flag.withFallbackConfig(Config.Int("MODELFORGE_MODEL_MEMORY_BYTES")),
    Flag.withDescription(
      "Memory that loaded models may take together; those used longest ago are unloaded for others. Default: half of the machine's (environment: MODELFORGE_MODEL_MEMORY_BYTES)",
    ),
    Flag.optional,
  ),
  runnerMemoryBytes: Flag.Int("runner-memory-bytes").pipe(
    Flag.withFallbackConfig(Config.Int("MODELFORGE_RUNNER_MEMORY_BYTES")),
    Flag.withDescription(
      "Memory of one runner process; one that holds more is ended. Default: four fifths of the machine's (environment: MODELFORGE_RUNNER_MEMORY_BYTES)",
    ),
    Flag.optional,
  ),
  graceSeconds: Flag.Int("grace-seconds").pipe(
    Flag.withFallbackConfig(Config.Int("MODELFORGE_GRACE_SECONDS")),
    Flag.withDescription(
      "After SIGTERM, how long to serve on while /readyz says 503. Default: 0 (environment: MODELFORGE_GRACE_SECONDS)",
    ),
    Flag.optional,
  ),
  ...networkFlags,
  examples: Flag.Boolean("examples").pipe(
    Flag.withDescription("Register the three example models"),
    Flag.withDefault(false),
  ),
}

export interface ServeFlags extends NetworkFlags {
  readonly host: string
  readonly port: number
  readonly dataDir: string
  readonly databaseUrl: Option.Option<Redacted.Redacted>
  readonly artifacts: Option.Option<string>
  readonly artifactCacheBytes: number
  readonly maxUploadBytes: number
  readonly maxUnfinishedBytes: number
  readonly uploadExpiryHours: number
  readonly maxRequestBytes: number
  readonly modelMemoryBytes: Option.Option<number>
  readonly runnerMemoryBytes: Option.Option<number>
  readonly graceSeconds: Option.Option<number>
  readonly examples: boolean
}

export interface ServeSettings {
  readonly host: string
  readonly port: number
  readonly dataDirectory: string
  readonly databaseUrl: Redacted.Redacted | undefined
  /** Undefined: the one that is kept in the data folder. */
  readonly secretKey: Redacted.Redacted | undefined
  readonly artifacts: string | undefined
  readonly artifactCacheBytes: number
  readonly maxArtifactBytes: number
  readonly maxUploadsBytes: number
  readonly uploadExpiryHours: number
  readonly maxRequestBytes: number
  readonly modelMemoryBytes: number | undefined
  readonly runnerMemoryBytes: number | undefined
  readonly graceSeconds: number
  readonly examples: boolean
  readonly network: NetworkSettings
  /** Whether programs of this machine need no key until the first is made. */
  readonly mayBeOpen: boolean
  /** A key of the operator's own, with all scopes. */
  readonly adminKey: Redacted.Redacted | undefined
  /** By which tokens of the dashboard are known. */
  readonly dashboardPublicKey: string | undefined
}

/** Secrets are no flags: everybody on the machine would see them. */
const secrets = Config.all({
  adminKey: Config.option(Config.Redacted("MODELFORGE_ADMIN_KEY")),
  dashboardPublicKey: Config.option(Config.NonEmptyString("MODELFORGE_DASHBOARD_PUBLIC_KEY")),
})

const environment = Config.String("ENVIRONMENT").pipe(Config.withDefault("development"))

/** Never a flag: those are seen by everybody on the machine. */
const secretKey = Config.option(Config.Redacted("SECRET_KEY"))

const refuse = (setting: string, detail: string) => Effect.fail(new InvalidSetting({ setting, detail }))

const artifactsUrl = (url: string) =>
  Option.isSome(parseArtifactsUrl(url))
    ? Effect.succeed(url)
    : refuse("--artifacts", artifactsUrlTrouble(url))

const inRange = (flag: string, value: number, minimum: number, maximum: number) =>
  value >= minimum && value <= maximum
    ? Effect.succeed(value)
    : refuse(flag, `${value} is out of range: use ${minimum} to ${maximum}`)

const howToMake = "make one with: openssl rand -base64 48"

/** Servers that share a database share the secret, so only an embedded database's may be made by the server. */
const checkSecret = (secret: Option.Option<Redacted.Redacted>, isEmbedded: boolean) => {
  if (Option.isNone(secret))
    return isEmbedded
      ? Effect.succeed(undefined)
      : refuse(
          "SECRET_KEY",
          `a server with a database of yours needs a secret that all its servers share; ${howToMake}`,
        )
  return new TextEncoder().encode(Redacted.value(secret.value)).length >= minSecretBytes
    ? Effect.succeed(secret.value)
    : refuse("SECRET_KEY", `it has less than ${minSecretBytes} bytes; ${howToMake}`)
}

/** What is less is a mistake of the unit. */
const atLeastMebibyte = (flag: string, value: Option.Option<number>) =>
  Option.isNone(value)
    ? Effect.succeed(undefined)
    : inRange(flag, value.value, 2 ** 20, Number.MAX_SAFE_INTEGER)

/** Holds the settings against each other, and against what this version can do. */
export const resolveSettings = Effect.fnUntraced(function* (flags: ServeFlags) {
  const mode = yield* environment
  const { adminKey, dashboardPublicKey } = yield* secrets
  if (mode !== "development" && mode !== "production")
    return yield* refuse("ENVIRONMENT", `"${mode}" is unknown: it is development or production`)
  const secret = yield* checkSecret(yield* secretKey, Option.isNone(flags.databaseUrl))
  const settings: ServeSettings = {
    host: flags.host,
    port: yield* inRange("--port", flags.port, 0, 65_535),
    dataDirectory: flags.dataDir,
    databaseUrl: Option.getOrUndefined(flags.databaseUrl),
    secretKey: secret,
    artifacts: Option.isSome(flags.artifacts) ? yield* artifactsUrl(flags.artifacts.value) : undefined,
    artifactCacheBytes: yield* inRange(
      "--artifact-cache-bytes",
      flags.artifactCacheBytes,
      1,
      Number.MAX_SAFE_INTEGER,
    ),
    maxArtifactBytes: yield* inRange("--max-upload-bytes", flags.maxUploadBytes, 1, 2 ** 31 - 1),
    maxUploadsBytes: yield* inRange(
      "--max-unfinished-bytes",
      flags.maxUnfinishedBytes,
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    uploadExpiryHours: yield* inRange("--upload-expiry-hours", flags.uploadExpiryHours, 1, 8760),
    maxRequestBytes: yield* inRange("--max-request-bytes", flags.maxRequestBytes, 1, 2 ** 29),
    modelMemoryBytes: yield* atLeastMebibyte("--model-memory-bytes", flags.modelMemoryBytes),
    runnerMemoryBytes: yield* atLeastMebibyte("--runner-memory-bytes", flags.runnerMemoryBytes),
    graceSeconds: yield* inRange(
      "--grace-seconds",
      Option.getOrElse(flags.graceSeconds, () => 0),
      0,
      3600,
    ),
    examples: flags.examples,
    network: yield* resolveNetwork(flags),
    mayBeOpen: isLoopbackHost(flags.host) && mode === "development",
    adminKey: Option.getOrUndefined(adminKey),
    dashboardPublicKey: Option.getOrUndefined(dashboardPublicKey),
  }
  return settings
})
