import { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Digest, ModelName, RegistryStore, type VersionDraft, VersionNumber } from "@modelforge/core"
import { RegistryStoreSuite } from "@modelforge/core/testing"
import { Cause, Effect, Exit, Layer, Option, type Redacted, String } from "effect"
import { SqlClient } from "effect/sql"
import { layerClient } from "../src/PostgresClient.ts"
import * as PostgresRegistryStore from "../src/PostgresRegistryStore.ts"
import { layer } from "../src/PostgresStores.ts"
import { administer, freshDatabase, testServer } from "./TestPostgres.ts"

const server = testServer()

// One database, so that the second run finds what the first left there.
const stores = Layer.unwrap(Effect.map(server, ({ socketPath }) => layer({ socketPath })))
RegistryStoreSuite.suite("PostgreSQL", stores)
RegistryStoreSuite.suite("PostgreSQL, the same database again", stores)

const model = ModelName.make("digits")
const v1 = VersionNumber.make(1)

const draft = (digit: number): VersionDraft => ({
  model,
  digest: Digest.make(digit.toString(16).padStart(64, "0")),
  size: 1,
  state: "ready",
  signature: { inputs: [], outputs: [] },
  summary: {
    irVersion: 10,
    opsets: {},
    producer: "",
    parameters: 0,
    nodes: 0,
    operators: {},
    metadata: {},
    docString: "",
  },
  graph: "{}",
  description: "",
  createdBy: null,
  createModel: true,
  alias: null,
  force: false,
})

/** Runs with a pool of its own, as another process would. */
const asProcess = <A, E>(
  url: Redacted.Redacted,
  use: (store: RegistryStore["Service"], sql: SqlClient.SqlClient) => Effect.Effect<A, E, never>,
) =>
  Effect.gen(function* () {
    return yield* use(yield* RegistryStore, yield* SqlClient.SqlClient)
  }).pipe(Effect.provide(layer({ url }), { local: true }))

it.live("what one process commits the next one finds", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    const committed = yield* asProcess(url, (store) => store.insertVersion(draft(1)))
    const found = yield* asProcess(url, (store) => store.findVersion(model, v1))
    assert.deepStrictEqual(found, Option.some(committed))
  }),
)

it.live("several processes share the numbers of a model", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    const numbers = yield* Effect.forEach(
      [0, 1, 2],
      (process) =>
        asProcess(url, (store) =>
          Effect.forEach(
            Array.from({ length: 20 }, (_, i) => draft(process * 20 + i)),
            store.insertVersion,
            { concurrency: "unbounded" },
          ),
        ),
      { concurrency: "unbounded" },
    )
    assert.deepStrictEqual(
      numbers
        .flat()
        .map((version) => Number(version.version))
        .sort((a, b) => a - b),
      Array.from({ length: 60 }, (_, i) => i + 1),
    )
  }),
)

it.live("text with characters that PostgreSQL can't hold is kept as well as it can be", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    const made = yield* asProcess(url, (store) =>
      store.insertModel({ name: model, description: "a\0b", tags: ["\0"], labels: { "\0": "\0" } }),
    )
    assert.deepStrictEqual([made.description, made.tags], ["a\uFFFDb", ["\uFFFD"]])
    assert.deepStrictEqual(made.labels, { "\0": "\0" })
  }),
)

it.live("a host's client may transform names", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    const labels = { some_key: "kept" }
    yield* asProcess(url, (store) => store.insertModel({ name: model, labels }))
    const found = yield* RegistryStore.use((store) => store.findModel(model)).pipe(
      Effect.provide(PostgresRegistryStore.layer),
      Effect.provide(
        PgClient.layer({
          url,
          transformResultNames: String.snakeToCamel,
          transformQueryNames: String.camelToSnake,
        }),
      ),
    )
    assert.deepStrictEqual(
      Option.map(found, (it) => it.labels),
      Option.some(labels),
    )
  }),
)

it.live("a read survives the loss of its connections", () =>
  Effect.gen(function* () {
    const postgres = yield* server
    const url = yield* freshDatabase(postgres)
    yield* asProcess(url, (store, sql) =>
      Effect.gen(function* () {
        yield* store.insertModel({ name: model })
        const [session] = yield* sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`
        yield* administer(postgres, `SELECT pg_terminate_backend(${session?.pid}, 5000)`)
        assert.isTrue(Option.isSome(yield* store.findModel(model)))
      }),
    )
  }),
)

it.live("a row that does not decode is a bug, not an outage", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    const exit = yield* asProcess(url, (store, sql) =>
      Effect.gen(function* () {
        yield* store.insertVersion(draft(1))
        yield* sql`UPDATE modelforge.versions SET signature = '{"inputs": 3}'`
        return yield* Effect.exit(store.findVersion(model, v1))
      }),
    )
    assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
  }),
)

it.live("a failure of the database is StoreUnavailable, and says nothing of it to people", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    const failures = yield* Effect.gen(function* () {
      const store = yield* RegistryStore
      return [
        yield* Effect.flip(store.findModel(model)),
        yield* Effect.flip(store.insertModel({ name: model })),
        yield* Effect.flip(store.insertVersion(draft(1))),
      ]
    }).pipe(Effect.provide(PostgresRegistryStore.layer), Effect.provide(layerClient({ url })))
    for (const { message, reason } of failures) {
      assert.strictEqual(reason._tag, "StoreUnavailable")
      assert.match(message, /^The registry's storage failed in "(findModel|insertModel|insertVersion)"$/)
    }
  }),
)
