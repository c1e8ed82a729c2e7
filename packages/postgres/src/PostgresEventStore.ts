/** `EventStore` on PostgreSQL. */
import { EventStore, EventsExpired } from "@modelforge/core"
import { Duration, Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql"
import { makeEventStatements } from "./eventStatements.ts"
import { read, write } from "./registryOperation.ts"

const make = Effect.map(SqlClient.SqlClient, (sql) => {
  const statements = makeEventStatements(sql)
  return EventStore.of({
    read: Effect.fnUntraced(function* (after, limit) {
      const events = yield* read("readEvents")(statements.read(after, limit))
      // Asked after the reading, so that what is pruned in between does not pass for nothing new.
      if (after !== null && !(yield* read("findEvent")(statements.exists(after))))
        return yield* new EventsExpired({ after })
      return events
    }),
    newest: read("newestEvent")(statements.newest).pipe(Effect.map(Option.map(({ id }) => id))),
    prune: ({ count, age }) =>
      statements.adopt.pipe(
        Effect.andThen(statements.prune(count, Duration.fromInputUnsafe(age))),
        Effect.map((pruned) => pruned.count),
        write("pruneEvents"),
      ),
  })
})

/** On a database that `layerMigrations` has brought up to date. */
export const layer: Layer.Layer<EventStore, never, SqlClient.SqlClient> = Layer.effect(EventStore, make)
