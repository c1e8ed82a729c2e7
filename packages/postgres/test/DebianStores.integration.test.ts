/** The contracts on a PostgreSQL of somebody else's, the oldest that is supported. */
import { assert, it } from "@effect/vitest"
import {
  AccessStoreSuite,
  AuditStoreSuite,
  EventStoreSuite,
  IdempotencyStoreSuite,
  RegistryStoreSuite,
} from "@modelforge/core/testing"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { layer } from "../src/PostgresStores.ts"
import { debianServer } from "./DebianPostgres.ts"

const server = debianServer()
const stores = Layer.unwrap(Effect.map(server, ({ url }) => layer({ url })))

it.live("is PostgreSQL 15", () =>
  Effect.gen(function* () {
    const [row] = yield* SqlClient.SqlClient.use((sql) => sql`SHOW server_version`)
    assert.match(JSON.stringify(row), /"15\./)
  }).pipe(Effect.provide(stores)),
)

RegistryStoreSuite.suite("PostgreSQL 15", stores)
RegistryStoreSuite.suite("PostgreSQL 15, the same database again", stores)
EventStoreSuite.suite("PostgreSQL 15", stores)
AccessStoreSuite.suite("PostgreSQL 15", stores)
AuditStoreSuite.suite("PostgreSQL 15", stores)
IdempotencyStoreSuite.suite("PostgreSQL 15", stores)
