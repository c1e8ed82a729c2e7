/** The storage contract of events: an append-only log, written by the operations of `RegistryStore`. */
import { Context, type Duration, type Effect, type Option, Schema } from "effect"
import type { EventId, RegistryEvent } from "../model/RegistryEvent.ts"
import type { RegistryError } from "../registry/RegistryError.ts"

/** Events after the one asked for have been deleted, or it never was: the reader has to start from a fresh view. */
export class EventsExpired extends Schema.TaggedError<EventsExpired>()("EventsExpired", {
  after: Schema.String,
}) {
  override get message() {
    return `The events after "${this.after}" are not kept any more: read everything again, then go on from the newest event`
  }
}

/** How much of the log stays. */
export interface EventRetention {
  /** At most this many events. */
  readonly count: number
  /** None older than this. */
  readonly age: Duration.Input
}

/** All may fail with `StoreUnavailable`. An event is written in the transaction of its change: both are there or neither. */
export class EventStore extends Context.Service<
  EventStore,
  {
    /**
     * At most `limit` events after `after`, or from the oldest kept; in an order in which nothing is ever inserted
     * before an event that was given, so whoever goes on from the last one misses none. An event may therefore come a
     * little after its change can be seen. Fails with `EventsExpired`.
     */
    readonly read: (
      after: EventId | null,
      limit: number,
    ) => Effect.Effect<ReadonlyArray<RegistryEvent>, RegistryError | EventsExpired>
    /** The last event that `read` gives, where a reader begins who wants only what is new. */
    readonly newest: Effect.Effect<Option.Option<EventId>, RegistryError>
    /** Deletes the oldest events, and says how many. Run it at every start: it also puts a restored log in order. */
    readonly prune: (retention: EventRetention) => Effect.Effect<number, RegistryError>
  }
>()("@modelforge/core/events/EventStore") {}
