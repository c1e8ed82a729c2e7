/** Keys and users. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const access = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient

  // One row. Its lock orders all changes of keys and users, so that a reader who knows a generation misses nothing.
  yield* sql`
    CREATE TABLE modelforge.access (
      single     boolean PRIMARY KEY DEFAULT true,
      -- A key or user was made once: then no server on this database is open any more.
      closed     boolean NOT NULL DEFAULT false,
      generation bigint NOT NULL DEFAULT 0,
      CONSTRAINT access_single_check CHECK (single)
    )
  `
  yield* sql`INSERT INTO modelforge.access DEFAULT VALUES`

  // Revoked keys stay: histories name their ids.
  yield* sql`
    CREATE TABLE modelforge.keys (
      id             text COLLATE "C" NOT NULL,
      name           text NOT NULL,
      scopes         text[] NOT NULL,
      -- NULL: all.
      models         text[],
      expires_at     timestamptz,
      rate_limit     json,
      quota          json,
      hash           text NOT NULL,
      previous_hash  text,
      previous_until timestamptz,
      created_at     timestamptz NOT NULL,
      created_by     text,
      last_used_at   timestamptz,
      revoked_at     timestamptz,
      -- Of the change that made it what it is.
      generation     bigint NOT NULL,
      CONSTRAINT keys_pkey PRIMARY KEY (id),
      CONSTRAINT keys_id_check CHECK (id ~ '^[a-z0-9]{12}$'),
      CONSTRAINT keys_hash_check CHECK (hash ~ '^[0-9a-f]{64}$' AND previous_hash ~ '^[0-9a-f]{64}$'),
      CONSTRAINT keys_previous_check CHECK ((previous_hash IS NULL) = (previous_until IS NULL))
    )
  `
  yield* sql`CREATE INDEX keys_generation ON modelforge.keys (generation)`

  yield* sql`
    CREATE TABLE modelforge.users (
      id            text COLLATE "C" NOT NULL,
      email         text COLLATE "C" NOT NULL,
      name          text NOT NULL,
      role          text NOT NULL,
      disabled      boolean NOT NULL,
      -- NULL: signs in elsewhere.
      password_hash text,
      session_epoch integer NOT NULL,
      created_at    timestamptz NOT NULL,
      last_login_at timestamptz,
      generation    bigint NOT NULL,
      CONSTRAINT users_pkey PRIMARY KEY (id),
      CONSTRAINT users_email_key UNIQUE (email),
      CONSTRAINT users_role_check CHECK (role IN ('viewer', 'operator', 'admin'))
    )
  `
  yield* sql`CREATE INDEX users_generation ON modelforge.users (generation)`
})
