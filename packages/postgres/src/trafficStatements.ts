/** Every statement of traffic policies and their histories. Changes run with the model locked. */
import { type ModelName, maxTrafficChanges, TrafficChange, type TrafficPolicy } from "@modelforge/core"
import { Array, Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { json, only, rows, textOrNull } from "./rows.ts"

const ChangeRow = Schema.Struct({ ...TrafficChange.fields, updatedAt: Schema.DateTimeUtcFromDate })

export interface NewTrafficChange {
  readonly model: ModelName
  readonly revision: number
  readonly from: TrafficPolicy | null
  readonly policy: TrafficPolicy | null
  readonly by: string | null
  readonly reason: string | undefined
}

const jsonOrNull = (value: unknown) => (value === null ? null : json(value))

export const makeTrafficStatements = (sql: SqlClient.SqlClient) => {
  const columns = sql`
    t.revision, t.previous AS "from", t.policy, t.at AS "updatedAt", t.by AS "updatedBy", t.reason
  `

  return {
    listChanges: (model: ModelName, limit: number, after: number | undefined) =>
      rows(ChangeRow)(sql`
        SELECT ${columns} FROM modelforge.traffic_changes AS t
        WHERE t.model = ${model} AND (${after ?? null}::integer IS NULL OR t.revision < ${after ?? null})
        ORDER BY t.revision DESC
        LIMIT ${limit}
      `).pipe(Effect.map(Array.map((row) => new TrafficChange(row)))),

    insertChange: ({ model, revision, from, policy, by, reason }: NewTrafficChange) =>
      rows(ChangeRow)(sql`
        INSERT INTO modelforge.traffic_changes AS t (model, revision, previous, policy, by, reason)
        VALUES (${model}, ${revision}, ${jsonOrNull(from)}, ${jsonOrNull(policy)}, ${textOrNull(by)},
          ${textOrNull(reason)})
        RETURNING ${columns}
      `).pipe(
        only,
        Effect.map((row) => new TrafficChange(row)),
      ),

    forgetChanges: (model: ModelName, newest: number) =>
      sql`
        DELETE FROM modelforge.traffic_changes
        WHERE model = ${model} AND revision <= ${newest - maxTrafficChanges}
      `.withoutTransform,
  }
}
