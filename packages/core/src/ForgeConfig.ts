/** Settings of the engine. Hosts give them in code; `main` reads them from flags and environment. */
import { Context, Duration, Layer } from "effect"
import type { RateLimit } from "./model/ApiKey.ts"

export interface Settings {
  /** Largest model file taken, in bytes. Default: 2 GiB less one, what protobuf itself allows. */
  readonly maxArtifactBytes: number
  /** Largest body of a prediction, in bytes. Default: 64 MiB. */
  readonly maxRequestBytes: number
  /** Predictions of one model that may be under way, waiting or running. Default: 1024. */
  readonly maxModelRequests: number
  /** Bytes of their bodies. Default: 256 MiB. */
  readonly maxModelRequestBytes: number
  /** Predictions of all models together. Default: 4096. */
  readonly maxRequests: number
  /** Bytes of their bodies. Default: 1 GiB. */
  readonly maxRequestsBytes: number
  /** Requests of a caller whose key has no rate limit of its own: of each such key, each user, and of all while the server asks for no key. Default: null, no limit. */
  readonly rateLimit: RateLimit | null
  /** How long a prediction may take that says nothing of it. Default: 30 seconds. */
  readonly defaultTimeout: Duration.Duration
  /** Longest time that a prediction may ask for. Default: 5 minutes. */
  readonly maxTimeout: Duration.Duration
  /**
   * Memory that loaded models may take together, in bytes; those used longest ago are unloaded for others. Default:
   * no limit.
   */
  readonly modelMemoryBytes: number
  /** After a load that failed by the model's own fault, how long requests are refused before it is tried again. Default: 10 seconds. */
  readonly loadHoldOff: Duration.Duration
  /** How long an upload waits for its trial load before it answers `validating`. Default: 30 seconds. */
  readonly validationPatience: Duration.Duration
  /** How long an unfinished upload is kept that nobody goes on with. Default: 24 hours. */
  readonly uploadExpiry: Duration.Duration
  /** Unfinished uploads at once. Default: 64. */
  readonly maxUploads: number
  /** Bytes that they were announced with, together. Default: 32 GiB. */
  readonly maxUploadsBytes: number
  /** How often artifacts are looked for that no version refers to any more. Default: 1 hour. */
  readonly collectorInterval: Duration.Duration
  /** How long an artifact must have been without a reference before it is removed. Default: 24 hours. */
  readonly collectorGrace: Duration.Duration
}

export class ForgeConfig extends Context.Service<ForgeConfig, Settings>()("@modelforge/core/ForgeConfig") {
  static readonly defaults: Settings = {
    maxArtifactBytes: 2 ** 31 - 1,
    maxRequestBytes: 64 * 2 ** 20,
    maxModelRequests: 1024,
    maxModelRequestBytes: 256 * 2 ** 20,
    maxRequests: 4096,
    maxRequestsBytes: 2 ** 30,
    rateLimit: null,
    defaultTimeout: Duration.seconds(30),
    maxTimeout: Duration.minutes(5),
    modelMemoryBytes: Number.POSITIVE_INFINITY,
    loadHoldOff: Duration.seconds(10),
    validationPatience: Duration.seconds(30),
    uploadExpiry: Duration.hours(24),
    maxUploads: 64,
    maxUploadsBytes: 32 * 2 ** 30,
    collectorInterval: Duration.hours(1),
    collectorGrace: Duration.hours(24),
  }

  /** The defaults, and what the host says otherwise. */
  static readonly layer = (overrides?: Partial<Settings>) =>
    Layer.succeed(this, { ...this.defaults, ...overrides })
}
