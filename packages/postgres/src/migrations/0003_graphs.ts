/** The graphs of versions, for viewers. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const graphs = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient

  // A table of its own: graphs are large, and nothing but their one endpoint reads them. Older versions have none.
  yield* sql`
    CREATE TABLE modelforge.graphs (
      model   text COLLATE "C" NOT NULL,
      version integer NOT NULL,
      graph   json NOT NULL,
      CONSTRAINT graphs_pkey PRIMARY KEY (model, version),
      CONSTRAINT graphs_version_fkey FOREIGN KEY (model, version)
        REFERENCES modelforge.versions (model, version) ON DELETE CASCADE
    )
  `
})
