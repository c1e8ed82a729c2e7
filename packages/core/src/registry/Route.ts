/** A version that can take requests. */
import type { ModelConfig } from "../model/ModelConfig.ts"
import type { ModelName } from "../model/Names.ts"
import type { Signature } from "../model/Signature.ts"
import type { Digest, VersionNumber } from "../model/Version.ts"

/** Equal for the same bytes as the same version. */
export const routeIdOf = ({ model, version, digest }: Pick<Route, "model" | "version" | "digest">): string =>
  `${model}/${version}/${digest}`

/** A version that can take a request. */
export interface Route {
  /** See `routeIdOf`. */
  readonly id: string
  readonly model: ModelName
  readonly version: VersionNumber
  readonly digest: Digest
  /** Bytes of the artifact. */
  readonly size: number
  readonly signature: Signature
  /** Names of all outputs, in the signature's order: one array, so that equal requests are told by it. */
  readonly outputNames: ReadonlyArray<string>
  /** How the model's versions are to be served. */
  readonly config: ModelConfig
}
