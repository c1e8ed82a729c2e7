/** Requests that came with an idempotency key, and their answers. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const idempotency = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient

  yield* sql`
    CREATE TABLE modelforge.idempotency (
      owner       text COLLATE "C" NOT NULL,
      key         text COLLATE "C" NOT NULL,
      fingerprint text NOT NULL,
      -- SHA-256 of a streamed body; null while it is not known, or where it is part of the fingerprint.
      content     text,
      holder      uuid NOT NULL,
      -- Until when the holder is believed to be at work; null once it is done.
      held_until  timestamptz,
      expires_at  timestamptz NOT NULL,
      -- Of the answer; null until there is one, and where it is not kept.
      status      integer,
      headers     json,
      body        text,
      CONSTRAINT idempotency_pkey PRIMARY KEY (owner, key),
      CONSTRAINT idempotency_answer_check CHECK (
        (status IS NULL) = (headers IS NULL) AND (status IS NULL) = (body IS NULL)
          AND (status IS NULL OR held_until IS NULL)
      )
    )
  `

  yield* sql`CREATE INDEX idempotency_expires_at ON modelforge.idempotency (expires_at)`
})
