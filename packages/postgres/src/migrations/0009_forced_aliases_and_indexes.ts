/** Whether an upload may set its alias whatever the signatures say. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const forcedAliasesAndIndexes = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient

  // Of the requested alias, for when the version settles.
  yield* sql`ALTER TABLE modelforge.versions ADD COLUMN alias_forced boolean NOT NULL DEFAULT false`
})
