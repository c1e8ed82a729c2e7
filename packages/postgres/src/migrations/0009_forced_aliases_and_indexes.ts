/** Whether an upload may set its alias whatever the signatures say, and indexes for what was looked for row by row. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const forcedAliasesAndIndexes = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient

  // Of the requested alias, for when the version settles.
  yield* sql`ALTER TABLE modelforge.versions ADD COLUMN alias_forced boolean NOT NULL DEFAULT false`

  // The collector asks for digests whatever their models.
  yield* sql`CREATE INDEX versions_digest ON modelforge.versions (digest)`

  // What is rare in the audit log lies far apart, and stretches of time far back.
  yield* sql`CREATE INDEX audit_action ON modelforge.audit (action, sequence)`
  yield* sql`CREATE INDEX audit_at ON modelforge.audit (at)`

  // Retention asks for the old, of which there are none most of the time.
  yield* sql`CREATE INDEX events_at ON modelforge.events (at)`

  // Revoked keys stay, and keys are listed by age.
  yield* sql`CREATE INDEX keys_created_at ON modelforge.keys (created_at, id)`
})
