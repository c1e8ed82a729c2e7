/** A named model: the stable address under which versions are served. */
import { Schema } from "effect"
import { VersionNumber } from "./Version.ts"

export const modelNamePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/

/** Part of URLs, so lower-case and without separators. */
export const ModelName = Schema.String.check(
  Schema.isPattern(modelNamePattern, {
    message: "a model name is 1 to 63 of a-z, 0-9, '.', '_' and '-', and starts with a letter or digit",
  }),
).pipe(Schema.brand("ModelName"))
export type ModelName = typeof ModelName.Type

/** The alias that requests without a version go to. */
export const productionAlias = "production"

/** A name that points at one version and can be moved. Never only digits, so that it can't be taken for a number. */
export const AliasName = Schema.String.check(
  Schema.isPattern(/^(?=.*[a-z_-])[a-z0-9][a-z0-9_-]{0,62}$/, {
    message:
      "an alias is 1 to 63 of a-z, 0-9, '_' and '-', starts with a letter or digit, and is not a number",
  }),
).pipe(Schema.brand("AliasName"))
export type AliasName = typeof AliasName.Type

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
  state: ModelState,
}) {}
