/** The layers of ModelForge put together: stores, artifacts, runtime, registry, inference. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import {
  type AccessError,
  type AccessTable,
  type Aliases,
  type ApiKeys,
  type ArtifactError,
  type AuditLog,
  type Authentication,
  Collector,
  ForgeConfig,
  Idempotency,
  Inference,
  type InvalidPublicKey,
  type LoadedModels,
  LoginLockout,
  layerAccess,
  layerEventRetention,
  layerUploadStoreLocal,
  type ModelStatistics,
  RateLimits,
  Registry,
  type RegistryError,
  type RoutingTable,
  type Settings,
  type ShadowTraffic,
  type TrafficPolicies,
  type UploadError,
  UploadSessions,
  type Uploads,
  type Users,
} from "@modelforge/core"
import { OnnxRuntime, OnnxScanner } from "@modelforge/onnx"
import {
  EmbeddedPostgres,
  type EmbeddedPostgresError,
  layerEmbedded,
  layer as layerPostgres,
  type PostgresError,
} from "@modelforge/postgres"
import {
  layerLockoutStoreRedis,
  layerRateLimitStoreRedis,
  layerRedisConnection,
  type RedisUrlInvalid,
} from "@modelforge/redis"
import { Context, Effect, Layer, type Redacted } from "effect"
import { type ArtifactsOptions, layerArtifacts } from "./artifacts.ts"
import { machineMemoryBytes } from "./machineMemoryBytes.ts"

export interface EngineOptions extends ArtifactsOptions {
  /** Folder of the data: `postgres` when the database is embedded, `artifacts`, or the cache of those elsewhere, `uploads`. */
  readonly dataDirectory: string
  /** A PostgreSQL of the host's. Default: an embedded one in the data folder. */
  readonly databaseUrl?: Redacted.Redacted | undefined
  /**
   * Where models run: in a supervised process of their own, or on the thread of the caller, which is faster for tiny
   * models and takes the process along when the runtime crashes. Default: `process`.
   */
  readonly execution?: "process" | "inline" | undefined
  /** Resident memory of one runner process, in bytes; one that holds more is ended. Default: most of the machine's. */
  readonly runnerMemoryBytes?: number | undefined
  /** A Redis in which servers count requests and failed logins together. Default: each counts by itself. */
  readonly redisUrl?: Redacted.Redacted | undefined
  readonly settings?: Partial<Settings> | undefined
  /** Of the dashboard whose tokens are taken: Ed25519, as PEM or as `x` of a JWK. Default: no token is. */
  readonly dashboardPublicKey?: string | undefined
}

/** What the host should know of the database beyond its answers. */
export class DatabaseWatch extends Context.Service<
  DatabaseWatch,
  {
    /** Completes, saying why, when the database is gone for good: an embedded server that died. */
    readonly lost: Effect.Effect<string>
  }
>()("modelforge/DatabaseWatch") {
  static readonly layerEmbedded = Layer.effect(
    this,
    EmbeddedPostgres.useSync(({ exited }) => ({
      lost: Effect.as(exited, "The embedded PostgreSQL stopped unexpectedly"),
    })),
  )
  /** A server of the host's may come back: requests that need it fail until it does. */
  static readonly layerRemote = Layer.succeed(this, { lost: Effect.never })
}

const layerRuntime = ({ execution = "process", runnerMemoryBytes }: EngineOptions) => {
  const watched = { runnerMemoryBytes: runnerMemoryBytes ?? Math.floor(machineMemoryBytes() * 0.8) }
  return execution === "inline" ? OnnxRuntime.layerInlineWith(watched) : OnnxRuntime.layerProcess(watched)
}

const layerStores = ({ dataDirectory, databaseUrl }: EngineOptions) =>
  databaseUrl === undefined
    ? DatabaseWatch.layerEmbedded.pipe(
        Layer.provideMerge(layerEmbedded({ dataDirectory: `${dataDirectory}/postgres` })),
      )
    : Layer.merge(DatabaseWatch.layerRemote, layerPostgres({ url: databaseUrl }))

/** Together with other servers on one Redis, or by itself. */
const layerLimits = ({ redisUrl }: EngineOptions) =>
  redisUrl === undefined
    ? Layer.merge(RateLimits.layer, LoginLockout.layer)
    : Layer.merge(RateLimits.layerShared, LoginLockout.layerShared).pipe(
        Layer.provide([layerRateLimitStoreRedis, layerLockoutStoreRedis]),
        Layer.provide(layerRedisConnection({ url: redisUrl })),
      )

/** What the engine provides. What it is made of, the database's client among it, is not for its users. */
export type Engine =
  | Inference
  | LoadedModels
  | ModelStatistics
  | Registry
  | Aliases
  | TrafficPolicies
  | ShadowTraffic
  | Uploads
  | UploadSessions
  | Idempotency
  | RoutingTable
  | ApiKeys
  | Users
  | Authentication
  | AccessTable
  | AuditLog
  | LoginLockout
  | RateLimits
  | ForgeConfig
  | DatabaseWatch

/** Why the engine can't start. */
export type EngineError =
  | ArtifactError
  | UploadError
  | RegistryError
  | AccessError
  | InvalidPublicKey
  | RedisUrlInvalid
  | EmbeddedPostgresError
  | PostgresError

/** Everything that serves predictions and manages models, ready to be used or mounted. */
export const layerEngine = (options: EngineOptions): Layer.Layer<Engine, EngineError> =>
  Inference.layer.pipe(
    Layer.merge(layerEventRetention),
    Layer.merge(UploadSessions.layer),
    Layer.merge(Idempotency.layer),
    Layer.provideMerge(Registry.layer),
    Layer.merge(Collector.layer),
    Layer.merge(layerLimits(options)),
    Layer.provide(OnnxScanner.layer),
    Layer.provide(layerRuntime(options)),
    Layer.provide(layerArtifacts(options)),
    Layer.provide(layerUploadStoreLocal(`${options.dataDirectory}/uploads`)),
    Layer.provideMerge(layerAccess({ dashboardPublicKey: options.dashboardPublicKey })),
    Layer.provideMerge(layerStores(options)),
    Layer.provideMerge(
      ForgeConfig.layer({ modelMemoryBytes: Math.floor(machineMemoryBytes() / 2), ...options.settings }),
    ),
    Layer.provide(NodeServices.layer),
  )
