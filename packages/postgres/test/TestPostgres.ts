/** A PostgreSQL server for one test file, and databases on it. */
import { NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Layer, ManagedRuntime, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { afterAll } from "vitest"
import { EmbeddedPostgres } from "../src/embedded/EmbeddedPostgres.ts"
import { layerClient } from "../src/PostgresClient.ts"

/** Durability is not what these tests are about. */
const settings = { fsync: "off" }

export const temporaryFolder = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  fs.makeTempDirectoryScoped({ prefix: "mf-postgres-" }),
)

const layerTestPostgres = Layer.unwrap(
  Effect.map(temporaryFolder, (folder) =>
    EmbeddedPostgres.layer({ dataDirectory: `${folder}/data`, settings }),
  ),
).pipe(Layer.provide(NodeServices.layer))

/** Call it at the top of a test file: the server starts on first use and stops after the last test. */
export const testServer = () => {
  const runtime = ManagedRuntime.make(layerTestPostgres)
  afterAll(() => runtime.dispose())
  return Effect.promise(() => runtime.runPromise(EmbeddedPostgres))
}

/** Runs one statement as the owner of the server. */
export const administer = Effect.fnUntraced(
  function* (_server: EmbeddedPostgres["Service"], statement: string) {
    const sql = yield* SqlClient.SqlClient
    return yield* sql.unsafe(statement)
  },
  (effect, server) => Effect.provide(effect, layerClient({ socketPath: server.socketPath }), { local: true }),
)

/** Where a database of the server is, as a host would write it. */
export const urlOf = (
  { socketDirectory }: EmbeddedPostgres["Service"],
  database: string,
  login = "postgres",
) => Redacted.make(`postgres://${login}@localhost/${database}?host=${encodeURIComponent(socketDirectory)}`)

/** A new, empty database. */
export const freshDatabase = Effect.fnUntraced(function* (server: EmbeddedPostgres["Service"]) {
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`
  yield* administer(server, `CREATE DATABASE ${name}`)
  return urlOf(server, name)
})
