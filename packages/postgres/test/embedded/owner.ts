/**
 * A process that has a data folder open, for tests to kill: `node owner.ts <mode> <data folder>`. Prints the server as
 * JSON once it is open. Modes: `hold` waits for SIGTERM; `write` inserts rows and prints each number after its commit;
 * `interrupted` answers SIGINT with a query, prints its result and ends.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Console, Effect, Layer } from "effect"
import { EmbeddedPostgres } from "../../src/embedded/EmbeddedPostgres.ts"

const [mode, dataDirectory = ""] = process.argv.slice(2)

const write = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* sql`CREATE TABLE IF NOT EXISTS written (n int)`
  for (let n = 1; ; n++) {
    yield* sql`INSERT INTO written ${sql.insert({ n })}`
    yield* Console.log(n)
  }
})

const interrupted = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* Effect.callback<void>((resume) => {
    process.once("SIGINT", () => resume(Effect.void))
    process.stdout.write("listening\n")
  })
  // The server had its chance to see the signal too.
  const rows = yield* sql`SELECT 'served' AS answer, pg_sleep(0.3)`
  yield* Console.log(rows[0]?.answer)
})

const program = Effect.gen(function* () {
  const server = yield* EmbeddedPostgres
  const client = PgClient.layer({ path: server.socketPath, username: "postgres", database: "postgres" })
  yield* Console.log(JSON.stringify(server))
  if (mode === "write") yield* Effect.provide(write, client)
  else if (mode === "interrupted") yield* Effect.provide(interrupted, client)
  else yield* Effect.never
}).pipe(Effect.provide(EmbeddedPostgres.layer({ dataDirectory }).pipe(Layer.provide(NodeServices.layer))))

// Without runMain, SIGINT is the program's own business.
if (mode === "interrupted") await Effect.runPromise(program)
else NodeRuntime.runMain(program)
