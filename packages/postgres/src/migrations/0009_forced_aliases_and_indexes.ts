/**
 * Whether an upload may set its alias whatever the signatures say, since when artifacts have no version, and indexes for what
 * was looked for row by row.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const forcedAliasesAndIndexes = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient

  // Of the requested alias, for when the version settles.
  yield* sql`ALTER TABLE modelforge.versions ADD COLUMN alias_forced boolean NOT NULL DEFAULT false`

  // When the last version that had it was deleted. The statement may be of an older release, or a cascade of a model's.
  yield* sql`
    CREATE TABLE modelforge.released_digests (
      digest text PRIMARY KEY,
      at     timestamptz NOT NULL
    )
  `
  yield* sql`CREATE INDEX released_digests_at ON modelforge.released_digests (at)`
  yield* sql`
    CREATE FUNCTION modelforge.release_digests() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      -- In one order, so that deletions of the same digests do not wait for each other in a circle.
      INSERT INTO modelforge.released_digests (digest, at)
      SELECT DISTINCT digest, statement_timestamp() FROM deleted ORDER BY digest
      ON CONFLICT (digest) DO UPDATE SET at = excluded.at;
      RETURN NULL;
    END
    $$
  `
  yield* sql`
    CREATE TRIGGER versions_release AFTER DELETE ON modelforge.versions REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION modelforge.release_digests()
  `

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
