/** The version of ModelForge that clients are told. The host says which it is. */
import { Context } from "effect"

export const ServerVersion = Context.Reference<string>("@modelforge/http/ServerVersion", {
  defaultValue: () => "0.0.0",
})
