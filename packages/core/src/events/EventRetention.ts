/** Keeps the log of events within bounds. */
import { Effect, Layer, Schedule } from "effect"
import { type EventRetention, EventStore } from "./EventStore.ts"

/** A month, or 100,000 events (some 30 MB), whichever is less. */
export const eventRetention: EventRetention = { count: 100_000, age: "30 days" }

/** Prunes now and every hour. Every replica does: what one has deleted the others don't find. */
export const layerEventRetention: Layer.Layer<never, never, EventStore> = Layer.effectDiscard(
  EventStore.use((events) =>
    events.prune(eventRetention).pipe(
      Effect.catch((error) => Effect.logWarning("Old events could not be deleted yet", error)),
      Effect.repeat(Schedule.spaced("1 hour")),
      Effect.forkScoped,
    ),
  ),
)
