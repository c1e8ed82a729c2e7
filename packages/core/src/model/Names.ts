/** The names people choose; each is part of URLs. */
import { Schema } from "effect"

/**
 * Part of URLs, so lower-case and without separators. `/v2/models/stats` are the statistics of all models, by the Open
 * Inference Protocol.
 */
export const ModelName = Schema.String.check(
  Schema.isPattern(/^[a-z0-9][a-z0-9._-]{0,62}$/, {
    message: "a model name is 1 to 63 of a-z, 0-9, '.', '_' and '-', and starts with a letter or digit",
  }),
  Schema.makeFilter((name) => name !== "stats", {
    message: "a model can't be named 'stats': that is the path of the statistics of all models",
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
