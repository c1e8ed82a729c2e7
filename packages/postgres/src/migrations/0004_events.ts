/** The log of events, the histories of aliases, and labels that can be searched for. */
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"

const Labels = Schema.Array(
  Schema.Struct({ name: Schema.String, labels: Schema.Record(Schema.String, Schema.String) }),
)

export const events = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient

  // No key to models: events outlive what they are about. A sequence alone would not do: its numbers are given before
  // the commits, which come in another order.
  yield* sql`
    CREATE TABLE modelforge.events (
      transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
      sequence    bigint GENERATED ALWAYS AS IDENTITY,
      at          timestamptz NOT NULL DEFAULT clock_timestamp(),
      by          text,
      model       text COLLATE "C" NOT NULL,
      change      json NOT NULL,
      CONSTRAINT events_pkey PRIMARY KEY (transaction, sequence)
    )
  `

  yield* sql`
    CREATE TABLE modelforge.alias_moves (
      model      text COLLATE "C" NOT NULL,
      alias      text COLLATE "C" NOT NULL,
      -- Counts up from 1, with the model locked.
      move       integer NOT NULL,
      previous   integer,
      -- NULL when the alias was deleted. No key: a version may go, and its number stays in the history.
      version    integer,
      at         timestamptz NOT NULL DEFAULT clock_timestamp(),
      by         text,
      reason     text,
      restores   integer,
      CONSTRAINT alias_moves_pkey PRIMARY KEY (model, alias, move),
      CONSTRAINT alias_moves_model_fkey FOREIGN KEY (model) REFERENCES modelforge.models (name) ON DELETE CASCADE
    )
  `
  yield* sql`
    INSERT INTO modelforge.alias_moves (model, alias, move, version)
    SELECT model, alias, 1, version FROM modelforge.aliases
  `

  // Each label as key:value. Not read from the json: functions on it fail where a text holds \u0000.
  yield* sql`ALTER TABLE modelforge.models ADD COLUMN label_pairs text[] NOT NULL DEFAULT '{}'`
  const labelled = yield* sql`SELECT name, labels FROM modelforge.models`.withoutTransform
  for (const { name, labels } of yield* Effect.orDie(Schema.decodeUnknownEffect(Labels)(labelled))) {
    const pairs = Object.entries(labels).map(([key, value]) => `${key}:${value}`.replaceAll("\0", "\uFFFD"))
    yield* sql`UPDATE modelforge.models SET label_pairs = ${pairs} WHERE name = ${name}`
  }
})
