/** Every statement of aliases and their histories. Changes run with the model locked. */
import {
  AliasMove,
  AliasName,
  type ModelName,
  type MoveOptions,
  maxMoves,
  VersionNumber,
} from "@modelforge/core"
import { Array, Effect, Option, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { only, rows, textOrNull } from "./rows.ts"

const AliasRow = Schema.Struct({ alias: AliasName })
const VersionRow = Schema.Struct({ version: VersionNumber })
const MoveRow = Schema.Struct({ ...AliasMove.fields, updatedAt: Schema.DateTimeUtcFromDate })

export interface NewMove extends Pick<MoveOptions, "reason" | "restores"> {
  readonly model: ModelName
  readonly alias: AliasName
  readonly move: number
  readonly from: VersionNumber | null
  readonly version: VersionNumber | null
  readonly by: string | null
}

export const makeAliasStatements = (sql: SqlClient.SqlClient) => {
  const moveColumns = sql`
    a.alias, a.move, a.previous AS "from", a.version, a.at AS "updatedAt", a.by AS "updatedBy", a.reason, a.restores
  `

  return {
    aliasesOf: (model: ModelName, version: VersionNumber) =>
      rows(AliasRow)(sql`
        SELECT alias FROM modelforge.aliases WHERE model = ${model} AND version = ${version} ORDER BY alias
      `).pipe(Effect.map(Array.map((row) => row.alias))),

    findAlias: (model: ModelName, alias: AliasName) =>
      rows(VersionRow)(sql`
        SELECT version FROM modelforge.aliases WHERE model = ${model} AND alias = ${alias}
      `).pipe(Effect.map((found) => Option.map(Array.head(found), (row) => row.version))),

    pointAlias: (model: ModelName, alias: AliasName, version: VersionNumber) =>
      sql`
        INSERT INTO modelforge.aliases (model, alias, version) VALUES (${model}, ${alias}, ${version})
        ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version
      `.withoutTransform,

    deleteAlias: (model: ModelName, alias: AliasName) =>
      sql`DELETE FROM modelforge.aliases WHERE model = ${model} AND alias = ${alias}`.withoutTransform,

    listMoves: (model: ModelName, alias: AliasName, limit: number, after: number | undefined) =>
      rows(MoveRow)(sql`
        SELECT ${moveColumns} FROM modelforge.alias_moves AS a
        WHERE a.model = ${model} AND a.alias = ${alias}
          AND (${after ?? null}::integer IS NULL OR a.move < ${after ?? null})
        ORDER BY a.move DESC
        LIMIT ${limit}
      `).pipe(Effect.map(Array.map((row) => new AliasMove(row)))),

    insertMove: ({ model, alias, move, from, version, by, reason, restores }: NewMove) =>
      rows(MoveRow)(sql`
        INSERT INTO modelforge.alias_moves AS a (model, alias, move, previous, version, by, reason, restores)
        VALUES (${model}, ${alias}, ${move}, ${from}, ${version}, ${textOrNull(by)}, ${textOrNull(reason)},
          ${restores ?? null})
        RETURNING ${moveColumns}
      `).pipe(
        only,
        Effect.map((row) => new AliasMove(row)),
      ),

    forgetMoves: (model: ModelName, alias: AliasName, newest: number) =>
      sql`
        DELETE FROM modelforge.alias_moves
        WHERE model = ${model} AND alias = ${alias} AND move <= ${newest - maxMoves}
      `.withoutTransform,
  }
}
