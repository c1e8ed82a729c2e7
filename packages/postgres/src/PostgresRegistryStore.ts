/** `RegistryStore` on PostgreSQL. The schema, its constraints and the lock of a model's row make it atomic. */
import { RegistryStore } from "@modelforge/core"
import { Layer } from "effect"
import { SqlClient } from "effect/sql"
import { makeAliasOperations } from "./registry/aliasOperations.ts"
import { makeModelOperations } from "./registry/modelOperations.ts"
import { makePostgresRegistry } from "./registry/PostgresRegistry.ts"
import { makeTrafficOperations } from "./registry/trafficOperations.ts"
import { makeVersionOperations } from "./registry/versionOperations.ts"

const make = SqlClient.SqlClient.useSync((sql) => {
  const registry = makePostgresRegistry(sql)
  return RegistryStore.of({
    ...makeModelOperations(registry),
    ...makeVersionOperations(registry),
    ...makeAliasOperations(registry),
    ...makeTrafficOperations(registry),
  })
})

/** On a database that `layerMigrations` has brought up to date. */
export const layer: Layer.Layer<RegistryStore, never, SqlClient.SqlClient> = Layer.effect(RegistryStore, make)
