/** The audit log. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const audit = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient

  // before and after are json, not jsonb: what is hashed must come back to the letter.
  yield* sql`
    CREATE TABLE modelforge.audit (
      sequence      bigint NOT NULL,
      at            timestamptz NOT NULL,
      actor         text,
      action        text COLLATE "C" NOT NULL,
      target_type   text COLLATE "C" NOT NULL,
      target_id     text NOT NULL,
      address       text,
      request_id    text,
      reason        text,
      before        json NOT NULL,
      after         json NOT NULL,
      previous_hash text NOT NULL,
      hash          text NOT NULL,
      CONSTRAINT audit_pkey PRIMARY KEY (sequence),
      CONSTRAINT audit_hash_check CHECK (hash ~ '^[0-9a-f]{64}$' AND previous_hash ~ '^[0-9a-f]{64}$')
    )
  `
  yield* sql`CREATE INDEX audit_actor ON modelforge.audit (actor, sequence)`
  yield* sql`CREATE INDEX audit_target ON modelforge.audit (target_type, target_id, sequence)`

  // One row: the last entry. Its lock makes the chain one, and is taken last in every transaction.
  yield* sql`
    CREATE TABLE modelforge.audit_head (
      single   boolean PRIMARY KEY DEFAULT true,
      sequence bigint NOT NULL,
      hash     text NOT NULL,
      CONSTRAINT audit_head_single_check CHECK (single)
    )
  `
  yield* sql`INSERT INTO modelforge.audit_head (sequence, hash) VALUES (0, ${"0".repeat(64)})`

  yield* sql`
    CREATE FUNCTION modelforge.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'the audit log only grows: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
    END
    $$
  `
  yield* sql`
    CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON modelforge.audit
    FOR EACH STATEMENT EXECUTE FUNCTION modelforge.refuse_change()
  `
})
