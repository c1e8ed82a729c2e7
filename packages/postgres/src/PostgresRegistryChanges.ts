/** `RegistryChanges` on PostgreSQL: LISTEN on a connection of its own, which is made again whenever it is lost. */
import { PgClient } from "@effect/sql-pg"
import { type EventId, RegistryChanges, type RegistrySignal } from "@modelforge/core"
import { Cause, Duration, Effect, Layer, Queue, Random, Stream } from "effect"
import { channel, makeEventStatements } from "./eventStatements.ts"
import { read } from "./registryOperation.ts"

/** Between attempts to listen: 0.1 s, then twice as long each time up to 5 s, and up to a quarter more or less. */
const pause = (failures: number) =>
  Effect.map(Random.nextBetween(0.75, 1.25), (jitter) =>
    Duration.millis(Math.min(100 * 2 ** (failures - 1), 5000) * jitter),
  )

const make = Effect.map(PgClient.PgClient, (sql) => {
  const statements = makeEventStatements(sql)
  const recent = (frontier: string) => read("readChanges")(statements.recent(frontier))

  /** Ends only with the connection, or when the database does not answer. */
  const listen = Effect.fnUntraced(function* (tell: (signal: RegistrySignal) => void) {
    const notifications = yield* read("listen")(sql.listen(channel))
    // After LISTEN: what was committed before is in whatever is read from now on, the rest is announced.
    let { frontier, events } = yield* recent(neverReached)
    let known: ReadonlySet<EventId> = new Set()
    tell({ _tag: "Connected" })
    for (;;) {
      yield* Queue.takeAll(notifications)
      // A notified transaction may be beyond the frontier because an older one still runs. Its model is read again
      // all the same; when the frontier has passed it, it is not seen again.
      ;({ frontier, events } = yield* recent(frontier))
      const models = new Set(events.filter(({ id }) => !known.has(id)).map(({ model }) => model))
      known = new Set(events.map(({ id }) => id))
      if (models.size > 0) tell({ _tag: "Changed", models: [...models] })
    }
  }, Effect.scoped)

  return RegistryChanges.of({
    signals: Stream.callback<RegistrySignal>((queue) => {
      let failures = 0
      const tell = (signal: RegistrySignal) => {
        if (signal._tag === "Connected") failures = 0
        Queue.offerUnsafe(queue, signal)
      }
      return Effect.catchCause(listen(tell), (cause) => {
        if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
        const first = failures++ === 0
        if (first) tell({ _tag: "Disconnected" })
        const log = first ? Effect.logWarning : Effect.logDebug
        return log("Changes of the registry are not heard of until the database answers", cause).pipe(
          Effect.andThen(pause(failures)),
          Effect.flatMap(Effect.sleep),
        )
      }).pipe(Effect.forever)
    }),
  })
})

/** Greater than every transaction's number. */
const neverReached = "18446744073709551615"

/** On a database that `layerMigrations` has brought up to date. */
export const layer: Layer.Layer<RegistryChanges, never, PgClient.PgClient> = Layer.effect(
  RegistryChanges,
  make,
)
