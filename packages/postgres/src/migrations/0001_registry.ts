/** Models, their versions and aliases. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const registry = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient

  yield* sql`
    CREATE TABLE modelforge.models (
      name         text COLLATE "C" PRIMARY KEY,
      description  text NOT NULL,
      tags         text[] NOT NULL,
      labels       json NOT NULL,
      -- Highest number ever given to a version. Its row lock orders all changes of the model.
      last_version integer NOT NULL DEFAULT 0,
      created_at   timestamptz NOT NULL DEFAULT now(),
      updated_at   timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT models_name_check CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
      CONSTRAINT models_last_version_check CHECK (last_version >= 0)
    )
  `

  // json, not jsonb: jsonb refuses \u0000, which names and texts inside a model file may hold.
  yield* sql`
    CREATE TABLE modelforge.versions (
      model           text COLLATE "C" NOT NULL,
      version         integer NOT NULL,
      digest          text NOT NULL,
      size            bigint NOT NULL,
      state           text NOT NULL,
      reason          text,
      signature       json NOT NULL,
      summary         json NOT NULL,
      description     text NOT NULL,
      created_by      text,
      -- Set when the version settles as ready.
      requested_alias text,
      -- Not now(): that is when the transaction began, before it waited for its turn.
      created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
      CONSTRAINT versions_pkey PRIMARY KEY (model, version),
      CONSTRAINT versions_model_fkey FOREIGN KEY (model) REFERENCES modelforge.models (name) ON DELETE CASCADE,
      CONSTRAINT versions_digest_key UNIQUE (model, digest),
      CONSTRAINT versions_version_check CHECK (version >= 1),
      CONSTRAINT versions_digest_check CHECK (digest ~ '^[0-9a-f]{64}$'),
      CONSTRAINT versions_size_check CHECK (size BETWEEN 0 AND 9007199254740991),
      CONSTRAINT versions_state_check CHECK (state IN ('validating', 'ready', 'invalid', 'archived')),
      CONSTRAINT versions_reason_check CHECK ((state = 'invalid') = (reason IS NOT NULL))
    )
  `

  yield* sql`
    CREATE INDEX versions_validating ON modelforge.versions (model, version) WHERE state = 'validating'
  `

  // The version's key has no ON DELETE: a version in use stays, unless its whole model goes and the alias with it.
  yield* sql`
    CREATE TABLE modelforge.aliases (
      model   text COLLATE "C" NOT NULL,
      alias   text COLLATE "C" NOT NULL,
      version integer NOT NULL,
      CONSTRAINT aliases_pkey PRIMARY KEY (model, alias),
      CONSTRAINT aliases_model_fkey FOREIGN KEY (model) REFERENCES modelforge.models (name) ON DELETE CASCADE,
      CONSTRAINT aliases_version_fkey FOREIGN KEY (model, version) REFERENCES modelforge.versions (model, version)
    )
  `

  yield* sql`CREATE INDEX aliases_version ON modelforge.aliases (model, version)`
})
