import { assert, it } from "@effect/vitest"
import { AliasName, ModelName, RegistryStore } from "@modelforge/core"
import { Effect, type Redacted } from "effect"
import { Migrator, SqlClient } from "effect/sql"
import { migrate } from "../src/Migrations.ts"
import { registry } from "../src/migrations/0001_registry.ts"
import { layerClient } from "../src/PostgresClient.ts"
import { layer } from "../src/PostgresStores.ts"
import { administer, freshDatabase, testServer, urlOf } from "./TestPostgres.ts"

const server = testServer()

const migrateOn = (url: Redacted.Redacted) => Effect.provide(migrate, layerClient({ url }), { local: true })

const tables = (url: Redacted.Redacted) =>
  SqlClient.SqlClient.use((sql) =>
    Effect.map(
      sql<{ name: string }>`
        SELECT table_schema || '.' || table_name AS name FROM information_schema.tables
        WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
        ORDER BY table_name
      `,
      (rows) => rows.map((row) => row.name),
    ),
  ).pipe(Effect.provide(layerClient({ url }), { local: true }))

const allTables = [
  "modelforge.access",
  "modelforge.alias_moves",
  "modelforge.aliases",
  "modelforge.audit",
  "modelforge.audit_head",
  "modelforge.events",
  "modelforge.graphs",
  "modelforge.idempotency",
  "modelforge.keys",
  "modelforge.modelforge_migrations",
  "modelforge.models",
  "modelforge.released_digests",
  "modelforge.traffic_changes",
  "modelforge.users",
  "modelforge.versions",
]

const allMigrations: ReadonlyArray<readonly [id: number, name: string]> = [
  [1, "registry"],
  [2, "model_config"],
  [3, "graphs"],
  [4, "events"],
  [5, "traffic"],
  [6, "access"],
  [7, "audit"],
  [8, "idempotency"],
  [9, "forced_aliases_and_indexes"],
  [10, "released_digests"],
]

it.live("a fresh database gets every table in a schema of its own; the second run has nothing to do", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    assert.deepStrictEqual(yield* migrateOn(url), allMigrations)
    assert.deepStrictEqual(yield* tables(url), allTables)
    assert.deepStrictEqual(yield* migrateOn(url), [])
  }),
)

it.live("of processes that start at once one migrates and all go on", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    const runs = yield* Effect.forEach([1, 2, 3, 4, 5], () => migrateOn(url), { concurrency: "unbounded" })
    assert.deepStrictEqual(runs.flat(), allMigrations)
    assert.deepStrictEqual(yield* tables(url), allTables)
  }),
)

it.live(
  "a migration that fails leaves nothing behind, says why, and runs again once the reason is gone",
  () =>
    Effect.gen(function* () {
      const url = yield* freshDatabase(yield* server)
      const onDatabase = (statement: string) =>
        SqlClient.SqlClient.use((sql) => sql.unsafe(statement)).pipe(
          Effect.provide(layerClient({ url }), { local: true }),
        )
      yield* onDatabase("CREATE SCHEMA modelforge")
      yield* onDatabase("CREATE TABLE modelforge.aliases (mine integer)")
      const { reason } = yield* Effect.flip(migrateOn(url))
      assert.strictEqual(reason._tag, "MigrationFailed")
      assert.match(reason.message, /brought up to date: .*1_registry" failed: .*"aliases" already exists/)
      assert.deepStrictEqual(yield* tables(url), ["modelforge.aliases"])
      yield* onDatabase("DROP TABLE modelforge.aliases")
      assert.deepStrictEqual(yield* migrateOn(url), allMigrations)
    }),
)

it.live(
  "a database of the first release keeps its aliases, with a history, and its labels can be searched",
  () =>
    Effect.gen(function* () {
      const url = yield* freshDatabase(yield* server)
      const old = Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE SCHEMA modelforge`
        yield* Migrator.make({})({
          loader: Migrator.fromRecord({ "0001_registry": registry }),
          table: "modelforge.modelforge_migrations",
        })
        const labels = JSON.stringify({ team: "vision", "\0": "\0" })
        yield* sql`
        INSERT INTO modelforge.models (name, description, tags, labels, last_version)
        VALUES ('old', '', '{}', ${labels}, 1), ('bare', '', '{}', '{}', 0)
      `
        yield* sql`
        INSERT INTO modelforge.versions (model, version, digest, size, state, signature, summary, description)
        VALUES ('old', 1, ${"0".repeat(64)}, 1, 'ready', '{"inputs": [], "outputs": []}', '{}', '')
      `
        yield* sql`INSERT INTO modelforge.aliases (model, alias, version) VALUES ('old', 'production', 1)`
      })
      yield* Effect.provide(old, layerClient({ url }), { local: true })
      yield* Effect.gen(function* () {
        const store = yield* RegistryStore
        const [model, production] = [ModelName.make("old"), AliasName.make("production")]
        assert.deepStrictEqual(
          (yield* store.listMoves(model, production, { limit: 10 })).map(
            ({ move, from, version }): unknown => [move, from, version],
          ),
          [[1, null, 1]],
        )
        for (const [label, names] of [
          ["team:vision", ["old"]],
          ["\0:\0", ["old"]],
          ["team:other", []],
        ] as const)
          assert.deepStrictEqual<ReadonlyArray<string>>(
            (yield* store.listModels({ label }, { limit: 10 })).map(({ name }) => name),
            names,
          )
        assert.isTrue(yield* store.deleteAlias(model, production))
      }).pipe(Effect.provide(layer({ url }), { local: true }))
    }),
)

it.live("a user without the right to make a schema is told so", () =>
  Effect.gen(function* () {
    const postgres = yield* server
    yield* administer(postgres, "CREATE ROLE guest LOGIN")
    const { reason } = yield* Effect.flip(migrateOn(urlOf(postgres, "postgres", "guest")))
    assert.strictEqual(reason._tag, "MigrationFailed")
    assert.match(reason.message, /permission denied for database postgres/)
  }),
)
