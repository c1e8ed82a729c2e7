/** Whether a server has a version in memory. Each server has its own. */
import { Schema } from "effect"

/**
 * `unloaded → loading → warming → serving | failed`. Requests for an unloaded version load it, unless it was unloaded
 * by hand, which `reason` says; a failed one is tried again by a request a little later, or by hand.
 */
export const ServingState = Schema.Literals(["unloaded", "loading", "warming", "serving", "failed"])
export type ServingState = typeof ServingState.Type

export const Serving = Schema.Struct({
  state: ServingState,
  /** Why it failed, or takes no requests; null otherwise. */
  reason: Schema.NullOr(Schema.String),
})
export type Serving = typeof Serving.Type
