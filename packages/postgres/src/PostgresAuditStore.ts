/** `AuditStore` on PostgreSQL. */
import { AuditStore } from "@modelforge/core"
import { Array, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { read, write } from "./accessOperation.ts"
import { makeAuditStatements } from "./auditStatements.ts"

const make = Effect.map(SqlClient.SqlClient, (sql) => {
  const statements = makeAuditStatements(sql)
  return AuditStore.of({
    append: (draft) =>
      statements.append([draft]).pipe(
        Effect.flatMap((made) => Effect.orDie(Effect.fromOption(Array.head(made)))),
        sql.withTransaction,
        write("appendAudit"),
      ),
    list: (filter, window) => read("listAudit")(statements.list(filter, window)),
    read: (first, limit) => read("readAudit")(statements.read(first, limit)),
    head: read("auditHead")(statements.head),
  })
})

/** On a database that `layerMigrations` has brought up to date. */
export const layer: Layer.Layer<AuditStore, never, SqlClient.SqlClient> = Layer.effect(AuditStore, make)
