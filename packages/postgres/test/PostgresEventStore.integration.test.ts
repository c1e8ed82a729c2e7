import { assert, it } from "@effect/vitest"
import { EventStore, ModelName, RegistryStore } from "@modelforge/core"
import { EventStoreSuite } from "@modelforge/core/testing"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { layer } from "../src/PostgresStores.ts"
import { freshDatabase, testServer } from "./TestPostgres.ts"

const server = testServer()

// One database, so that the second run finds what the first left there.
const stores = Layer.unwrap(Effect.map(server, ({ socketPath }) => layer({ socketPath })))
EventStoreSuite.suite("PostgreSQL", stores)
EventStoreSuite.suite("PostgreSQL, the same database again", stores)

it.live("a log restored from a cluster that had counted further is put in order", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    yield* Effect.gen(function* () {
      const [store, events, sql] = [yield* RegistryStore, yield* EventStore, yield* SqlClient.SqlClient]
      // Anything that runs anywhere in the cluster, autovacuum for instance, holds the log up for a while.
      const models = (count: number) =>
        events.read(null, 10).pipe(
          Effect.repeat({ until: (all) => all.length === count }),
          Effect.map((all) => all.map(({ model }) => String(model))),
        )
      yield* store.insertModel({ name: ModelName.make("first") })
      yield* store.insertModel({ name: ModelName.make("second") })
      yield* sql`
        UPDATE modelforge.events
        SET transaction = (transaction::text::numeric + 1000000)::text::xid8
        WHERE model = 'second'
      `
      yield* store.insertModel({ name: ModelName.make("third") })
      assert.deepStrictEqual(yield* models(2), ["first", "third"])
      assert.strictEqual(yield* events.prune({ count: 10, age: "1 day" }), 0)
      yield* store.insertModel({ name: ModelName.make("fourth") })
      assert.deepStrictEqual(yield* models(4), ["first", "second", "third", "fourth"])
    }).pipe(Effect.provide(layer({ url }), { local: true }))
  }),
)
