/** `RegistryChanges` on PostgreSQL: LISTEN, and the log of events for what changed. */
import { PgClient } from "@effect/sql-pg"
import { type EventId, RegistryChanges, type RegistrySignal } from "@modelforge/core"
import { Effect, Layer, Queue } from "effect"
import { channel, makeEventStatements } from "./eventStatements.ts"
import { signalsOf, type Told } from "./listening.ts"
import { read } from "./registryOperation.ts"

const make = Effect.map(PgClient.PgClient, (sql) => {
  const statements = makeEventStatements(sql)
  const recent = (frontier: string) => read("readChanges")(statements.recent(frontier))

  const listen = Effect.fnUntraced(function* ({ connected, tell }: Told<RegistrySignal>) {
    const notifications = yield* read("listen")(sql.listen(channel))
    // After LISTEN: what was committed before is in whatever is read from now on, the rest is announced.
    let { frontier, events } = yield* recent(neverReached)
    let known: ReadonlySet<EventId> = new Set()
    connected()
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
    signals: signalsOf({
      what: "the registry",
      listen,
      connected: { _tag: "Connected" },
      disconnected: { _tag: "Disconnected" },
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
