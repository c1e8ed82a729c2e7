/** How each model is to be served. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const modelConfig = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE modelforge.models ADD COLUMN config json NOT NULL DEFAULT '{}'`
})
