/** What a ModelForge server is started with. What the product can switch, a contender can. */
import { Schema } from "effect"

export const ForgeOptions = Schema.Struct({
  dataDirectory: Schema.String,
  execution: Schema.Literals(["process", "inline"]),
})
export type ForgeOptions = typeof ForgeOptions.Type
