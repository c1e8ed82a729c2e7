/** Every statement of the log of events. */
import { EventId, ModelName, type RegistryChange, RegistryEvent } from "@modelforge/core"
import { Array, Duration, Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { json, only, rows, textOrNull } from "./rows.ts"

/** Where changes are announced. A notification carries the transaction's number only: what changed is in the log. */
export const channel = "modelforge_registry"

const EventRow = Schema.Struct({ ...RegistryEvent.fields, at: Schema.DateTimeUtcFromDate })
const IdRow = Schema.Struct({ id: EventId })
const RecentRow = Schema.Struct({
  /** Events of transactions before this one are complete. */
  frontier: Schema.String,
  events: Schema.Array(Schema.Struct({ id: EventId, model: ModelName })),
})
const CountRow = Schema.Struct({ count: Schema.Int })

/** Transaction and sequence. */
const position = (id: EventId) => {
  const [transaction = "", sequence = ""] = id.split("-")
  return { transaction, sequence }
}

export const makeEventStatements = (sql: SqlClient.SqlClient) => {
  const eventId = sql`e.transaction || '-' || e.sequence AS id`
  // Transactions end in any order: only before the oldest that still runs can no event appear any more.
  const complete = sql`e.transaction < pg_snapshot_xmin(pg_current_snapshot())`

  return {
    /** Within the transaction of the change. The announcement comes with its commit, or not at all. */
    append: (model: ModelName, by: string | null, change: RegistryChange) =>
      sql`
        WITH event AS (
          INSERT INTO modelforge.events (model, by, change)
          VALUES (${model}, ${textOrNull(by)}, ${json(change)})
          RETURNING transaction
        )
        SELECT pg_notify(${channel}, transaction::text) FROM event
      `.withoutTransform,

    exists: (id: EventId) => {
      const { transaction, sequence } = position(id)
      return Effect.map(
        sql`
          SELECT FROM modelforge.events
          WHERE transaction = ${transaction}::xid8 AND sequence = ${sequence}::bigint
        `.withoutTransform,
        Array.isReadonlyArrayNonEmpty,
      )
    },

    read: (after: EventId | null, limit: number) => {
      const { transaction, sequence } = after === null ? { transaction: "0", sequence: "0" } : position(after)
      return rows(EventRow)(sql`
        SELECT ${eventId}, e.at, e.by, e.model, e.change FROM modelforge.events AS e
        WHERE ${complete} AND (e.transaction, e.sequence) > (${transaction}::xid8, ${sequence}::bigint)
        ORDER BY e.transaction, e.sequence
        LIMIT ${limit}
      `).pipe(Effect.map(Array.map((row) => new RegistryEvent(row))))
    },

    newest: rows(IdRow)(sql`
      SELECT ${eventId} FROM modelforge.events AS e
      WHERE ${complete}
      ORDER BY e.transaction DESC, e.sequence DESC
      LIMIT 1
    `).pipe(Effect.map(Array.head)),

    /**
     * In a database restored from another cluster's dump, events may be of transactions that this cluster has yet to
     * count up to: nobody could read them, and new ones would come before them. They all move to the beginning.
     */
    adopt: sql`
      UPDATE modelforge.events SET transaction = '0'
      WHERE EXISTS (
        SELECT FROM modelforge.events WHERE transaction >= pg_snapshot_xmax(pg_current_snapshot())
      )
    `.withoutTransform,

    /** Deletes from the oldest on, so that what is left has no holes. An index can't be held against clock_timestamp(). */
    prune: (count: number, age: Duration.Duration) =>
      rows(CountRow)(sql`
        WITH last AS (
          (SELECT transaction, sequence FROM modelforge.events
            ORDER BY transaction DESC, sequence DESC OFFSET ${count} LIMIT 1)
          UNION ALL
          (SELECT transaction, sequence FROM modelforge.events
            WHERE at < statement_timestamp() - make_interval(secs => ${Duration.toSeconds(age)}::float8)
            ORDER BY transaction DESC, sequence DESC LIMIT 1)
        ), deleted AS (
          DELETE FROM modelforge.events AS e
          WHERE (e.transaction, e.sequence)
            <= (SELECT transaction, sequence FROM last ORDER BY transaction DESC, sequence DESC LIMIT 1)
          RETURNING 1
        )
        SELECT count(*)::integer AS count FROM deleted
      `).pipe(only),

    /** What can be seen of the transactions from `frontier` on, and the frontier of next time, in one view of the log. */
    recent: (frontier: string | null) =>
      rows(RecentRow)(sql`
        SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS frontier,
          (SELECT COALESCE(json_agg(json_build_object('id', e.transaction || '-' || e.sequence, 'model', e.model)), '[]')
            FROM modelforge.events AS e WHERE e.transaction >= ${frontier}::xid8) AS events
      `).pipe(only),
  }
}
