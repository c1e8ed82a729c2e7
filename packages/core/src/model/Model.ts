/** A named model: the stable address under which versions are served. */
import { Schema } from "effect"
import { ModelConfig } from "./ModelConfig.ts"
import { AliasName, ModelName } from "./Names.ts"
import { Traffic } from "./TrafficPolicy.ts"
import { VersionNumber } from "./Version.ts"

export const Tags = Schema.Array(Schema.NonEmptyString.check(Schema.isMaxLength(64))).check(
  Schema.isMaxLength(64),
)
export const Labels = Schema.Record(Schema.String, Schema.String.check(Schema.isMaxLength(256)))
export const Description = Schema.String.check(Schema.isMaxLength(4096))

/** What a person says about a model when making it. */
export const ModelDraft = Schema.Struct({
  name: ModelName,
  description: Schema.optionalKey(Description),
  tags: Schema.optionalKey(Tags),
  labels: Schema.optionalKey(Labels),
})
export type ModelDraft = typeof ModelDraft.Type

/** `ready`: at least one version can be served. `empty`: none can. */
export const ModelState = Schema.Literals(["empty", "ready"])
export type ModelState = typeof ModelState.Type

export class Model extends Schema.Class<Model>("@modelforge/core/Model")({
  name: ModelName,
  description: Description,
  tags: Tags,
  labels: Labels,
  createdAt: Schema.DateTimeUtcFromString,
  updatedAt: Schema.DateTimeUtcFromString,
  /** Highest number ever given to a version, whatever its state; null before the first. */
  latestVersion: Schema.NullOr(VersionNumber),
  aliases: Schema.Record(AliasName, VersionNumber),
  /** Where requests without a version go; null: to the alias `production`, else to the highest ready version. */
  traffic: Schema.NullOr(Traffic),
  /** What its operator said; empty when nothing. */
  config: ModelConfig,
  state: ModelState,
}) {}
