/** What a ModelForge server is started with. What the product can switch, a contender can. */
import { Schema } from "effect"

export const ForgeOptions = Schema.Struct({
  dataDirectory: Schema.String,
  execution: Schema.Literals(["process", "inline"]),
  /** Asks for the key that every request of the benchmark carries, and counts requests against a limit. Default: false. */
  guarded: Schema.optionalKey(Schema.Boolean),
})
export type ForgeOptions = typeof ForgeOptions.Type
