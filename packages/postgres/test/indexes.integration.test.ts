/** Of tables that grow, what is looked for is found by an index: none is read from end to end. */
import { assert, it } from "@effect/vitest"
import {
  AccessStore,
  AuditStore,
  Digest,
  EventStore,
  IdempotencyStore,
  KeyId,
  ModelName,
  RegistryStore,
  VersionNumber,
} from "@modelforge/core"
import { DateTime, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { layer } from "../src/PostgresStores.ts"
import { freshDatabase, testServer } from "./TestPostgres.ts"

const server = testServer()

/** As many rows as make an index worth while. */
const rows = 20_000

const filled = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const statements = [
    `INSERT INTO modelforge.models (name, description, tags, labels, last_version)
      SELECT 'm' || i, '', '{}', '{}', 100 FROM generate_series(1, ${rows / 100}) AS i`,
    `INSERT INTO modelforge.versions (model, version, digest, size, state, signature, summary, description)
      SELECT 'm' || i, j, encode(sha256((i || '-' || j)::bytea), 'hex'), 1, 'ready',
        '{"inputs": [], "outputs": []}', '{"irVersion": 10, "opsets": {}, "producer": "", "parameters": 0, "nodes": 0,
          "operators": {}, "metadata": {}, "docString": ""}', ''
      FROM generate_series(1, ${rows / 100}) AS i, generate_series(1, 100) AS j`,
    `INSERT INTO modelforge.events (model, change)
      SELECT 'm1', '{"type": "model.created"}' FROM generate_series(1, ${rows})`,
    `INSERT INTO modelforge.audit
      SELECT i, timestamptz '2026-01-01' + i * interval '1 minute', 'user:ada',
        CASE WHEN i = 1 THEN 'key.revoked' ELSE 'model.updated' END, 'model', 'm1', NULL, NULL, NULL,
        'null', 'null', repeat('0', 64), repeat('0', 64) FROM generate_series(1, ${rows}) AS i`,
    `INSERT INTO modelforge.idempotency (owner, key, fingerprint, holder, expires_at)
      SELECT 'ada', i, '', gen_random_uuid(), now() + i * interval '1 minute' FROM generate_series(1, ${rows}) AS i`,
    `INSERT INTO modelforge.keys (id, name, scopes, hash, created_at, generation)
      SELECT lpad(i::text, 12, '0'), 'k', '{read}', repeat('0', 64), now() - i * interval '1 minute', 0
      FROM generate_series(1, ${rows}) AS i`,
    "ANALYZE",
  ]
  for (const statement of statements) yield* sql.unsafe(statement)
})

/** How often a transaction used an index, and read its table from end to end. */
const usesOf = (table: string, index: string, look: Effect.Effect<unknown, unknown>) =>
  SqlClient.SqlClient.use((sql) =>
    Effect.andThen(
      look,
      sql<{ readonly index: number; readonly table: number }>`
        SELECT pg_stat_get_xact_numscans(${`modelforge.${index}`}::regclass)::integer AS index,
          pg_stat_get_xact_numscans(${`modelforge.${table}`}::regclass)::integer AS table
      `,
    ).pipe(sql.withTransaction),
  )

it.live("what is looked for in tables that grow is found by an index", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    yield* Effect.gen(function* () {
      yield* filled
      const registry = yield* RegistryStore
      const audit = yield* AuditStore
      const events = yield* EventStore
      const access = yield* AccessStore
      const idempotency = yield* IdempotencyStore
      const sql = yield* SqlClient.SqlClient
      const [one] = yield* sql<{ readonly digest: string }>`
        SELECT digest FROM modelforge.versions WHERE model = 'm7' AND version = 7
      `
      const digest = Digest.make(one?.digest ?? "")
      const page = { limit: 50 }
      const [from, to] = [
        DateTime.makeUnsafe("2026-01-01T00:10:00Z"),
        DateTime.makeUnsafe("2026-01-01T00:20:00Z"),
      ]
      const looks: ReadonlyArray<
        readonly [table: string, index: string, look: Effect.Effect<unknown, unknown>]
      > = [
        ["versions", "versions_digest", registry.findReferred([digest, Digest.make("0".repeat(64))], from)],
        ["versions", "versions_digest", registry.findDigest(ModelName.make("m7"), digest)],
        [
          "versions",
          "versions_pkey",
          registry.listVersions(ModelName.make("m7"), { ...page, after: VersionNumber.make(60) }),
        ],
        ["versions", "versions_validating", registry.listValidating],
        ["audit", "audit_action", audit.list({ action: "key.revoked" }, page)],
        ["audit", "audit_at", audit.list({ from, to }, page)],
        ["audit", "audit_pkey", audit.list({}, page)],
        ["events", "events_at", events.prune({ count: 10 * rows, age: "30 days" })],
        ["idempotency", "idempotency_expires_at", idempotency.prune],
        ["keys", "keys_created_at", access.listKeys({ ...page, after: KeyId.make("000000000050") })],
      ]
      for (const [table, index, look] of looks) {
        const [used] = yield* usesOf(table, index, look)
        assert.isAbove(used?.index ?? 0, 0, `${index} was not used`)
        assert.strictEqual(used?.table, 0, `${table} was read from end to end, beside ${index}`)
      }
    }).pipe(Effect.provide(layer({ url })))
  }),
)
