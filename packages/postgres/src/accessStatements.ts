/** Every statement of keys, and of what orders the changes of keys and users. */
import { ApiKey, KeyHash, type KeyId, type Rotation, StoredKey, UserId, type Window } from "@modelforge/core"
import { Array, DateTime, Effect, Schema } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { json, only, rows, text, textOrNull } from "./rows.ts"

/** Where changes of keys and users are announced. A notification carries nothing: what changed is in the tables. */
export const channel = "modelforge_access"

const time = Schema.DateTimeUtcFromDate
const KeyRow = Schema.Struct({
  ...ApiKey.fields,
  createdAt: time,
  expiresAt: Schema.NullOr(time),
  lastUsedAt: Schema.NullOr(time),
  previousUntil: Schema.NullOr(time),
  revokedAt: Schema.NullOr(time),
})
const StoredKeyRow = Schema.Struct({ ...KeyRow.fields, hash: KeyHash, previousHash: Schema.NullOr(KeyHash) })
const GenerationRow = Schema.Struct({ generation: Schema.Int })
const StateRow = Schema.Struct({ generation: Schema.Int, closed: Schema.Boolean })
const IdRow = Schema.Struct({ id: UserId })

const dateOrNull = (value: DateTime.Utc | null) => (value === null ? null : DateTime.toDateUtc(value))
const jsonOrNull = (value: unknown) => (value === null ? null : json(value))

export const makeAccessStatements = (sql: SqlClient.SqlClient) => {
  const keyColumns = sql`
    k.id, k.name, k.scopes, k.models, k.expires_at AS "expiresAt", k.rate_limit AS "rateLimit", k.quota,
    k.created_at AS "createdAt", k.created_by AS "createdBy", k.last_used_at AS "lastUsedAt",
    k.previous_until AS "previousUntil", k.revoked_at AS "revokedAt"
  `
  const storedColumns = sql`${keyColumns}, k.hash, k.previous_hash AS "previousHash"`

  const keys = (statement: Statement.Statement<object>) =>
    Effect.map(
      rows(KeyRow)(statement),
      Array.map((row) => new ApiKey(row)),
    )
  const storedKeys = (statement: Statement.Statement<object>) =>
    Effect.map(
      rows(StoredKeyRow)(statement),
      Array.map(
        ({ hash, previousHash, ...row }) => new StoredKey({ key: new ApiKey(row), hash, previousHash }),
      ),
    )

  return {
    /** The first statement of every change: they happen one after another, and are announced with their commit. */
    nextGeneration: rows(GenerationRow)(sql`
      WITH next AS (
        UPDATE modelforge.access SET closed = true, generation = generation + 1 RETURNING generation
      )
      SELECT generation::float8 AS generation, pg_notify(${channel}, '') FROM next
    `).pipe(
      only,
      Effect.map(({ generation }) => generation),
    ),

    state: rows(StateRow)(sql`SELECT generation::float8 AS generation, closed FROM modelforge.access`).pipe(
      only,
    ),

    insertKey: ({ key, hash }: StoredKey, generation: number) =>
      storedKeys(sql`
        INSERT INTO modelforge.keys AS k (id, name, scopes, models, expires_at, rate_limit, quota, hash, created_at,
          created_by, generation)
        VALUES (${key.id}, ${text(key.name)}, ${key.scopes}, ${key.models}, ${dateOrNull(key.expiresAt)},
          ${jsonOrNull(key.rateLimit)}, ${jsonOrNull(key.quota)}, ${hash}, ${DateTime.toDateUtc(key.createdAt)},
          ${textOrNull(key.createdBy)}, ${generation})
        RETURNING ${storedColumns}
      `).pipe(only),

    findKey: (id: KeyId) =>
      keys(sql`SELECT ${keyColumns} FROM modelforge.keys AS k WHERE k.id = ${id}`).pipe(
        Effect.map(Array.head),
      ),

    findStored: (id: KeyId) =>
      storedKeys(sql`SELECT ${storedColumns} FROM modelforge.keys AS k WHERE k.id = ${id}`).pipe(
        Effect.map(Array.head),
      ),

    listKeys: ({ limit, after }: Window<KeyId>) =>
      keys(sql`
        SELECT ${keyColumns} FROM modelforge.keys AS k
        WHERE ${after ?? null}::text IS NULL
          OR (k.created_at, k.id) < (SELECT created_at, id FROM modelforge.keys WHERE id = ${after ?? null})
        ORDER BY k.created_at DESC, k.id DESC
        LIMIT ${limit}
      `),

    revokeKey: (id: KeyId, at: DateTime.Utc, generation: number) =>
      storedKeys(sql`
        UPDATE modelforge.keys AS k SET revoked_at = ${DateTime.toDateUtc(at)}, generation = ${generation}
        WHERE k.id = ${id}
        RETURNING ${storedColumns}
      `).pipe(only),

    rotateKey: (id: KeyId, { hash, previousUntil }: Rotation, generation: number) =>
      storedKeys(sql`
        UPDATE modelforge.keys AS k SET hash = ${hash}, generation = ${generation},
          previous_hash = CASE WHEN ${previousUntil !== null} THEN k.hash END,
          previous_until = ${dateOrNull(previousUntil)}
        WHERE k.id = ${id}
        RETURNING ${storedColumns}
      `).pipe(only),

    /** Locked in one order, so that processes which write at the same time do not wait for each other for ever. */
    noteUses: (uses: ReadonlyMap<KeyId, DateTime.Utc>) => {
      const ids = [...uses.keys()]
      const times = [...uses.values()].map((at) => DateTime.toEpochMillis(at) / 1000)
      return sql`
        WITH used AS (
          SELECT k.id, u.at FROM modelforge.keys AS k
          JOIN (SELECT unnest(${ids}::text[]) AS id, to_timestamp(unnest(${times}::float8[])) AS at) AS u
            ON u.id = k.id
          ORDER BY k.id FOR UPDATE OF k
        )
        UPDATE modelforge.keys AS k SET last_used_at = GREATEST(k.last_used_at, used.at)
        FROM used WHERE k.id = used.id
      `.withoutTransform
    },

    keysSince: (generation: number) =>
      storedKeys(sql`
        SELECT ${storedColumns} FROM modelforge.keys AS k WHERE k.generation > ${generation}
      `),

    userIds: rows(IdRow)(sql`SELECT id FROM modelforge.users`).pipe(Effect.map(Array.map(({ id }) => id))),
  }
}
