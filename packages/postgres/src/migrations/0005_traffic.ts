/** The traffic policies of models, with their histories. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const traffic = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient

  // The newest change of a model is what is in force.
  yield* sql`
    CREATE TABLE modelforge.traffic_changes (
      model      text COLLATE "C" NOT NULL,
      -- Counts up from 1, with the model locked.
      revision   integer NOT NULL,
      previous   json,
      -- NULL when the policy was removed.
      policy     json,
      at         timestamptz NOT NULL DEFAULT clock_timestamp(),
      by         text,
      reason     text,
      CONSTRAINT traffic_changes_pkey PRIMARY KEY (model, revision),
      CONSTRAINT traffic_changes_model_fkey FOREIGN KEY (model)
        REFERENCES modelforge.models (name) ON DELETE CASCADE
    )
  `
})
