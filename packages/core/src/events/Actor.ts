/** On whose behalf something is done. */
import { Context } from "effect"

/**
 * Whoever is behind what a fiber does, as events and histories name them: null where the server is open, or acts by
 * itself. Ambient, because every operation that changes something would otherwise hand it on untouched.
 */
export const Actor = Context.Reference<string | null>("@modelforge/core/events/Actor", {
  defaultValue: () => null,
})
