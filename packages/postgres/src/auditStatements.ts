/** Every statement of the audit log. */
import {
  type AuditDraft,
  AuditEntry,
  type AuditFilter,
  AuditHash,
  type AuditHead,
  type AuditSequence,
  AuditTarget,
  link,
  type Window,
} from "@modelforge/core"
import { Array, Context, DateTime, Effect, Schema, Struct } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { json, only, rows } from "./rows.ts"

const HeadRow = Schema.Struct({ sequence: Schema.Int, hash: AuditHash })
const NextRow = Schema.Struct({ ...HeadRow.fields, at: Schema.DateTimeUtcFromDate })
const EntryRow = Schema.Struct({
  ...Struct.omit(AuditEntry.fields, ["target"]),
  at: Schema.DateTimeUtcFromDate,
  targetType: AuditTarget.fields.type,
  targetId: AuditTarget.fields.id,
})

/** What a transaction has to say, appended as the last thing it does. */
class PendingAudit extends Context.Service<PendingAudit, Array<AuditDraft>>()(
  "@modelforge/postgres/PendingAudit",
) {}

/** Says it with the commit of the transaction, or not at all. */
export const addPending = (draft: AuditDraft) =>
  PendingAudit.useSync((drafts) => {
    drafts.push(draft)
  })

export const makeAuditStatements = (sql: SqlClient.SqlClient) => {
  const columns = sql`
    a.sequence::float8 AS sequence, a.at, a.actor, a.action, a.target_type AS "targetType",
    a.target_id AS "targetId", a.address AS "from", a.request_id AS "requestId", a.reason, a.before, a.after,
    a.previous_hash AS "previousHash", a.hash
  `

  const entries = (statement: Statement.Statement<object>) =>
    Effect.map(
      rows(EntryRow)(statement),
      Array.map(
        ({ targetType: type, targetId: id, ...row }) => new AuditEntry({ ...row, target: { type, id } }),
      ),
    )

  /** Moves the head in the same statement: whoever waits for its lock sees both. */
  const insert = ({ target, ...entry }: AuditEntry) =>
    sql`
      WITH entry AS (
        INSERT INTO modelforge.audit (sequence, at, actor, action, target_type, target_id, address, request_id,
          reason, before, after, previous_hash, hash)
        VALUES (${entry.sequence}, ${DateTime.toDateUtc(entry.at)}, ${entry.actor}, ${entry.action},
          ${target.type}, ${target.id}, ${entry.from}, ${entry.requestId}, ${entry.reason}, ${json(entry.before)},
          ${json(entry.after)}, ${entry.previousHash}, ${entry.hash})
      )
      UPDATE modelforge.audit_head SET sequence = ${entry.sequence}, hash = ${entry.hash}
    `.withoutTransform

  /** Within a transaction that takes no other lock after it: until it commits, every other change waits for this one. */
  const append = Effect.fnUntraced(function* (drafts: ReadonlyArray<AuditDraft>) {
    const { at, ...head } = yield* rows(NextRow)(sql`
      SELECT sequence::float8 AS sequence, hash, date_trunc('milliseconds', clock_timestamp()) AS at
      FROM modelforge.audit_head FOR UPDATE
    `).pipe(only)
    const made: Array<AuditEntry> = []
    for (const draft of drafts) {
      const entry = link(made.at(-1) ?? head, draft, at)
      yield* insert(entry)
      made.push(entry)
    }
    return made
  })

  return {
    append,

    /** A transaction whose pending entries are appended at its end. */
    transaction: <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.suspend(() => {
        const drafts: Array<AuditDraft> = []
        return effect.pipe(
          Effect.provideService(PendingAudit, drafts),
          Effect.tap(() => (drafts.length === 0 ? Effect.void : append(drafts))),
          sql.withTransaction,
        )
      }),

    list: ({ actor, action, target, from, to }: AuditFilter, { limit, after }: Window<AuditSequence>) =>
      entries(sql`
        SELECT ${columns} FROM modelforge.audit AS a
        WHERE ${sql.and([
          sql`true`,
          ...(after === undefined ? [] : [sql`a.sequence < ${after}`]),
          ...(actor === undefined ? [] : [sql`a.actor = ${actor}`]),
          ...(action === undefined ? [] : [sql`a.action = ${action}`]),
          ...(target === undefined ? [] : [sql`a.target_type = ${target.type}`]),
          ...(target?.id === undefined ? [] : [sql`a.target_id = ${target.id}`]),
          ...(from === undefined ? [] : [sql`a.at >= ${DateTime.toDateUtc(from)}`]),
          ...(to === undefined ? [] : [sql`a.at < ${DateTime.toDateUtc(to)}`]),
        ])}
        ORDER BY a.sequence DESC
        LIMIT ${limit}
      `),

    read: (first: AuditSequence, limit: number) =>
      entries(sql`
        SELECT ${columns} FROM modelforge.audit AS a WHERE a.sequence >= ${first} ORDER BY a.sequence LIMIT ${limit}
      `),

    head: rows(HeadRow)(sql`SELECT sequence::float8 AS sequence, hash FROM modelforge.audit_head`).pipe(
      only,
    ) satisfies Effect.Effect<AuditHead, unknown>,
  }
}
