/** `AccessChanges` on PostgreSQL: LISTEN. What changed is in the tables, numbered by generation. */
import { PgClient } from "@effect/sql-pg"
import { AccessChanges, type AccessSignal } from "@modelforge/core"
import { Effect, Layer, Queue } from "effect"
import { read } from "./accessOperation.ts"
import { channel } from "./accessStatements.ts"
import { signalsOf, type Told } from "./listening.ts"

const make = Effect.map(PgClient.PgClient, (sql) =>
  AccessChanges.of({
    signals: signalsOf({
      what: "keys and users",
      listen: Effect.fnUntraced(function* ({ connected, tell }: Told<AccessSignal>) {
        const notifications = yield* read("listen")(sql.listen(channel))
        connected()
        for (;;) {
          yield* Queue.takeAll(notifications)
          tell("Changed")
        }
      }, Effect.scoped),
      connected: "Connected",
      disconnected: "Disconnected",
    }),
  }),
)

/** On a database that `layerMigrations` has brought up to date. */
export const layer: Layer.Layer<AccessChanges, never, PgClient.PgClient> = Layer.effect(AccessChanges, make)
