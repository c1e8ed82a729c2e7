/** `EventStore` and `RegistryChanges` in the memory of one process: what the registry in memory appends to. */
import { DateTime, Duration, Effect, Option, Queue, Stream } from "effect"
import type { ModelName } from "../model/Names.ts"
import { EventId, type RegistryChange, RegistryEvent } from "../model/RegistryEvent.ts"
import { EventStore, EventsExpired } from "./EventStore.ts"
import { RegistryChanges, type RegistrySignal } from "./RegistryChanges.ts"

export class MemoryEvents {
  #log: ReadonlyArray<RegistryEvent> = []
  #count = 0
  readonly #readers = new Set<(signal: RegistrySignal) => void>()

  /** Makes one event of each change, in order. */
  append(model: ModelName, by: string | null, at: DateTime.Utc, ...changes: ReadonlyArray<RegistryChange>) {
    const events = changes.map(
      (change) => new RegistryEvent({ id: EventId.make(`0-${++this.#count}`), at, by, model, change }),
    )
    this.#log = [...this.#log, ...events]
    for (const tell of this.#readers) tell({ _tag: "Changed", models: [model] })
  }

  readonly store = EventStore.of({
    read: (after, limit) =>
      Effect.suspend(() => {
        const index = this.#log.findIndex(({ id }) => id === after)
        return after !== null && index < 0
          ? Effect.fail(new EventsExpired({ after }))
          : Effect.succeed(this.#log.slice(index + 1, index + 1 + limit))
      }),
    newest: Effect.sync(() => Option.fromUndefinedOr(this.#log.at(-1)?.id)),
    prune: Effect.fnUntraced({ self: this }, function* ({ count, age }) {
      const oldest = DateTime.subtractDuration(yield* DateTime.now, Duration.fromInputUnsafe(age))
      const before = this.#log.length
      const fresh = this.#log.findIndex(({ at }) => DateTime.isGreaterThan(at, oldest))
      this.#log = fresh < 0 ? [] : this.#log.slice(Math.max(fresh, before - count))
      return before - this.#log.length
    }),
  })

  readonly changes = RegistryChanges.of({
    signals: Stream.callback<RegistrySignal>((queue) => {
      const tell = (signal: RegistrySignal) => void Queue.offerUnsafe(queue, signal)
      return Effect.acquireRelease(
        Effect.sync(() => {
          this.#readers.add(tell)
          tell({ _tag: "Connected" })
        }),
        () => Effect.sync(() => this.#readers.delete(tell)),
      )
    }),
  })
}
