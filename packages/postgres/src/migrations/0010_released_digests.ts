/** Since when artifacts have no version. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const releasedDigests = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient

  // When the last version that had it was deleted.
  yield* sql`
    CREATE TABLE modelforge.released_digests (
      digest text PRIMARY KEY,
      at     timestamptz NOT NULL
    )
  `
  yield* sql`CREATE INDEX released_digests_at ON modelforge.released_digests (at)`

  // A trigger, because the deletion may be an older release's, or the cascade of a model's.
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
})
