/** The migrations of everything ModelForge keeps in PostgreSQL, in the schema `modelforge`. */
import { Effect, Layer } from "effect"
import { Migrator, SqlClient, type SqlError } from "effect/sql"
import { registry } from "./migrations/0001_registry.ts"
import { modelConfig } from "./migrations/0002_model_config.ts"
import { graphs } from "./migrations/0003_graphs.ts"
import { events } from "./migrations/0004_events.ts"
import { traffic } from "./migrations/0005_traffic.ts"
import { access } from "./migrations/0006_access.ts"
import { audit } from "./migrations/0007_audit.ts"
import { idempotency } from "./migrations/0008_idempotency.ts"
import { forcedAliasesAndIndexes } from "./migrations/0009_forced_aliases_and_indexes.ts"
import { releasedDigests } from "./migrations/0010_released_digests.ts"
import { MigrationFailed, PostgresError } from "./PostgresError.ts"

/** In order. A released migration is never edited. */
const loader = Migrator.fromRecord({
  "0001_registry": registry,
  "0002_model_config": modelConfig,
  "0003_graphs": graphs,
  "0004_events": events,
  "0005_traffic": traffic,
  "0006_access": access,
  "0007_audit": audit,
  "0008_idempotency": idempotency,
  "0009_forced_aliases_and_indexes": forcedAliasesAndIndexes,
  "0010_released_digests": releasedDigests,
})

/** Any number: held by the one process that migrates, while others that start at the same time wait. */
const advisoryLock = 5_067_381

const run = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  // Unlike a query, a migration may be slow, and the wait for another process's too.
  yield* sql`SET LOCAL statement_timeout = '15min'`
  yield* sql`SELECT pg_advisory_xact_lock(${advisoryLock})`
  // CREATE SCHEMA IF NOT EXISTS wants the right to create one even when there is nothing to do.
  const existing = yield* sql`SELECT FROM pg_namespace WHERE nspname = 'modelforge'`
  if (existing.length === 0) yield* sql`CREATE SCHEMA modelforge`
  return yield* Migrator.make({})({ loader, table: "modelforge.modelforge_migrations" })
})

const failed = (error: Migrator.MigrationError | SqlError.SqlError) => {
  const root = rootCause(error)
  const detail = error._tag === "MigrationError" ? `${error.message}: ${root}` : root
  return new PostgresError({ reason: new MigrationFailed({ detail, cause: error }) })
}

/** What PostgreSQL said, below the driver's wrappers. */
const rootCause = (error: Error): string =>
  error.cause instanceof Error ? rootCause(error.cause) : error.message

/**
 * Runs the migrations that are pending, all or none, and returns those. Safe when several processes start at once,
 * and with a database that a newer release has migrated already.
 */
export const migrate: Effect.Effect<
  ReadonlyArray<readonly [id: number, name: string]>,
  PostgresError,
  SqlClient.SqlClient
> = SqlClient.SqlClient.use((sql) => sql.withTransaction(run)).pipe(
  Effect.mapError(failed),
  Effect.withSpan("Postgres.migrate"),
)

/** Brings the database up to date while the layer is built. */
export const layerMigrations: Layer.Layer<never, PostgresError, SqlClient.SqlClient> =
  Layer.effectDiscard(migrate)
