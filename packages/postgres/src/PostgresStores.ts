/** Every store of ModelForge on one PostgreSQL, migrated: on a server that is there, or on one of its own. */
import type { PgClient } from "@effect/sql-pg"
import type {
  AccessChanges,
  AccessStore,
  AuditStore,
  EventStore,
  IdempotencyStore,
  RegistryChanges,
  RegistryStore,
} from "@modelforge/core"
import { Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { EmbeddedPostgres, type EmbeddedPostgresOptions } from "./embedded/EmbeddedPostgres.ts"
import { layerMigrations } from "./Migrations.ts"
import * as PostgresAccessChanges from "./PostgresAccessChanges.ts"
import * as PostgresAccessStore from "./PostgresAccessStore.ts"
import * as PostgresAuditStore from "./PostgresAuditStore.ts"
import { layerClient, type PostgresAddress, type PostgresClientOptions } from "./PostgresClient.ts"
import type { PostgresError } from "./PostgresError.ts"
import * as PostgresEventStore from "./PostgresEventStore.ts"
import * as PostgresIdempotencyStore from "./PostgresIdempotencyStore.ts"
import * as PostgresRegistryChanges from "./PostgresRegistryChanges.ts"
import * as PostgresRegistryStore from "./PostgresRegistryStore.ts"

export type Stores =
  | RegistryStore
  | EventStore
  | RegistryChanges
  | IdempotencyStore
  | AccessStore
  | AccessChanges
  | AuditStore

/** The stores, on a client of the host. Brings the database up to date first. */
export const layerStores: Layer.Layer<Stores, PostgresError, PgClient.PgClient | SqlClient.SqlClient> =
  Layer.mergeAll(
    PostgresRegistryStore.layer,
    PostgresEventStore.layer,
    PostgresRegistryChanges.layer,
    PostgresAccessStore.layer,
    PostgresAccessChanges.layer,
    PostgresAuditStore.layer,
    PostgresIdempotencyStore.layer,
  ).pipe(Layer.provide(layerMigrations))

/** The stores with a connection pool of their own. */
export const layer = (
  options: PostgresAddress & PostgresClientOptions,
): Layer.Layer<Stores | PgClient.PgClient | SqlClient.SqlClient, PostgresError> =>
  Layer.provideMerge(layerStores, layerClient(options))

/** The stores on a private server that lives as long as the layer, with its data in a folder. */
export const layerEmbedded = (options: EmbeddedPostgresOptions & PostgresClientOptions) =>
  Layer.unwrap(EmbeddedPostgres.useSync(({ socketPath }) => layer({ ...options, socketPath }))).pipe(
    Layer.provideMerge(EmbeddedPostgres.layer(options)),
  )
