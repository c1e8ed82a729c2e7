/** Settings of the engine. Hosts give them in code; `main` reads them from flags and environment. */
import { Context, Duration, Layer } from "effect"

export interface Settings {
  /** Largest model file taken, in bytes. Default: 2 GiB less one, what protobuf itself allows. */
  readonly maxArtifactBytes: number
  /** Largest body of a prediction, in bytes. Default: 64 MiB. */
  readonly maxRequestBytes: number
  /** How long an upload waits for its trial load before it answers `validating`. Default: 30 seconds. */
  readonly validationPatience: Duration.Duration
}

export class ForgeConfig extends Context.Service<ForgeConfig, Settings>()("@modelforge/core/ForgeConfig") {
  static readonly defaults: Settings = {
    maxArtifactBytes: 2 ** 31 - 1,
    maxRequestBytes: 64 * 2 ** 20,
    validationPatience: Duration.seconds(30),
  }

  /** The defaults, and what the host says otherwise. */
  static readonly layer = (overrides?: Partial<Settings>) =>
    Layer.succeed(this, { ...this.defaults, ...overrides })
}
