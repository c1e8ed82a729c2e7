import { assert, it } from "@effect/vitest"
import { AuditLog, AuditStore, ModelName, RegistryStore } from "@modelforge/core"
import { AuditStoreSuite } from "@modelforge/core/testing"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { layer } from "../src/PostgresStores.ts"
import { freshDatabase, testServer } from "./TestPostgres.ts"

const server = testServer()

// A database of its own: nobody else may write to the log meanwhile.
const stores = Layer.unwrap(Effect.map(Effect.flatMap(server, freshDatabase), (url) => layer({ url })))
AuditStoreSuite.suite("PostgreSQL", stores)
AuditStoreSuite.suite("PostgreSQL, the same database again", stores)

const open = Effect.fnUntraced(function* () {
  const url = yield* freshDatabase(yield* server)
  return AuditLog.layer.pipe(Layer.provideMerge(layer({ url })), Layer.fresh)
})

const fill = Effect.gen(function* () {
  const registry = yield* RegistryStore
  for (const name of ["a", "b", "c", "d"]) yield* registry.insertModel({ name: ModelName.make(name) })
})

it.live("rows can't be changed or removed by a statement", () =>
  Effect.gen(function* () {
    yield* Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* fill
      for (const statement of [
        "UPDATE modelforge.audit SET actor = 'nobody'",
        "DELETE FROM modelforge.audit",
        "TRUNCATE modelforge.audit",
      ]) {
        const error = yield* Effect.flip(sql.unsafe(statement))
        assert.match(String(error.reason.cause), /the audit log only grows/)
      }
      assert.strictEqual((yield* (yield* AuditStore).read((yield* firstEntry).sequence, 10)).length, 4)
    }).pipe(Effect.provide(yield* open(), { local: true }))
  }),
)

const firstEntry = AuditStore.use((store) =>
  Effect.flatMap(store.list({}, { limit: 200 }), (entries) =>
    Effect.orDie(Effect.fromNullishOr(entries.at(-1))),
  ),
)

const broken = (sequence: number, ...tampering: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    yield* Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { verify } = yield* AuditLog
      yield* fill
      assert.deepStrictEqual(yield* verify(), { _tag: "Intact", entries: 4 })
      yield* sql`ALTER TABLE modelforge.audit DISABLE TRIGGER audit_only_grows`
      for (const statement of tampering) yield* sql.unsafe(statement)
      assert.deepInclude(yield* verify(), { _tag: "Broken", sequence })
    }).pipe(Effect.provide(yield* open(), { local: true }))
  })

it.live("whoever gets past that is found out: a changed entry", () =>
  broken(2, `UPDATE modelforge.audit SET after = '{"description":"x"}' WHERE sequence = 2`),
)
it.live("a removed one", () => broken(3, "DELETE FROM modelforge.audit WHERE sequence = 3"))
it.live("the last one removed", () => broken(4, "DELETE FROM modelforge.audit WHERE sequence = 4"))
it.live("two that were swapped", () =>
  broken(
    2,
    "UPDATE modelforge.audit SET sequence = 9 WHERE sequence = 2",
    "UPDATE modelforge.audit SET sequence = 2 WHERE sequence = 3",
    "UPDATE modelforge.audit SET sequence = 3 WHERE sequence = 9",
  ),
)

it.live("a change that is rolled back leaves no entry", () =>
  Effect.gen(function* () {
    yield* Effect.gen(function* () {
      const [registry, sql] = [yield* RegistryStore, yield* SqlClient.SqlClient]
      const store = yield* AuditStore
      yield* registry
        .insertModel({ name: ModelName.make("a") })
        .pipe(Effect.andThen(Effect.fail("changed my mind")), sql.withTransaction, Effect.flip)
      assert.deepInclude(yield* store.head, { sequence: 0 })
      assert.deepStrictEqual(yield* store.list({}, { limit: 10 }), [])
    }).pipe(Effect.provide(yield* open(), { local: true }))
  }),
)
