import { writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { layerClient, type PostgresAddress, type PostgresClientOptions } from "../src/PostgresClient.ts"
import { administer, testServer, urlOf } from "./TestPostgres.ts"

const server = testServer()
const secret = "pass-w0rd"

const reasonOf = (options: PostgresAddress & PostgresClientOptions) =>
  Layer.build(layerClient(options)).pipe(
    Effect.scoped,
    Effect.flip,
    Effect.map((error) => {
      assert.strictEqual(error.message, error.reason.message)
      return error.reason
    }),
  )

/** A TCP server on a free port, closed with the scope. */
const listen = (onConnection: (socket: { destroy: () => void }) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ port: number; close: () => void }>((resume) => {
      const sockets = new Set<{ destroy: () => void }>()
      const tcp = createServer((socket) => {
        sockets.add(socket)
        onConnection(socket)
      })
      tcp.listen(0, "127.0.0.1", () => {
        const address = tcp.address()
        const close = () => {
          for (const socket of sockets) socket.destroy()
          tcp.close()
        }
        resume(
          Effect.succeed({ port: address !== null && typeof address === "object" ? address.port : 0, close }),
        )
      })
    }),
    ({ close }) => Effect.sync(close),
  )

it.effect.each([
  ["nonsense", /it is not a URL/],
  [`postgres://user:${secret}@host:notaport/db`, /it is not a URL/],
  [`postgres://us%ZZer:${secret}@host/db`, /Invalid percent-encoding/],
  [`mysql://user:${secret}@host/db`, /it starts with "mysql:"/],
  [`postgres://:${secret}@host/db`, /it names no user/],
] as const)("refuses the URL of case %#", ([url, message]) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(Effect.scoped(Layer.build(layerClient({ url: Redacted.make(url) }))))
    assert.isTrue(Exit.isFailure(exit))
    const text = Exit.isFailure(exit) ? Cause.pretty(exit.cause) + JSON.stringify(exit.cause) : ""
    assert.match(text, message)
    assert.notInclude(text, secret)
  }),
)

it.live("says where no server listens, and as whom it tried, without the password", () =>
  Effect.gen(function* () {
    const { port, close } = yield* listen(() => {})
    close()
    const reason = yield* reasonOf({ url: Redacted.make(`postgres://us%65r:${secret}@127.0.0.1:${port}/db`) })
    assert.strictEqual(reason._tag, "CannotConnect")
    assert.include(
      reason.message,
      `PostgreSQL at 127.0.0.1:${port} as user "user": the connection was refused.`,
    )
    assert.notInclude(reason.message, secret)
  }).pipe(Effect.scoped),
)

it.live("says that there is no socket", () =>
  Effect.gen(function* () {
    const reason = yield* reasonOf({ socketPath: "/nonexistent/.s.PGSQL.5432" })
    assert.strictEqual(reason._tag, "CannotConnect")
    assert.include(reason.message, "/nonexistent/.s.PGSQL.5432")
    assert.include(reason.message, "there is no such socket")
  }),
)

it.live("gives up on a server that never answers", () =>
  Effect.gen(function* () {
    const { port } = yield* listen(() => {})
    const reason = yield* reasonOf({
      url: Redacted.make(`postgres://user:${secret}@127.0.0.1:${port}/db`),
      connectTimeout: "50 millis",
    })
    assert.strictEqual(reason._tag, "CannotConnect")
    assert.match(reason.message, /timed out/)
  }).pipe(Effect.scoped),
)

it.live("gives up on a server that hangs up", () =>
  Effect.gen(function* () {
    const { port } = yield* listen((socket) => socket.destroy())
    const reason = yield* reasonOf({ url: Redacted.make(`postgres://user:${secret}@127.0.0.1:${port}/db`) })
    assert.strictEqual(reason._tag, "CannotConnect")
    assert.notInclude(reason.message, secret)
  }).pipe(Effect.scoped),
)

it.live("passes on what the server says of a database that is not there", () =>
  Effect.gen(function* () {
    const reason = yield* reasonOf({ url: urlOf(yield* server, "nowhere") })
    assert.strictEqual(reason._tag, "CannotConnect")
    assert.match(reason.message, /database "nowhere" does not exist/)
  }),
)

it.live("refuses a wrong password and takes the right one", () =>
  Effect.gen(function* () {
    const postgres = yield* server
    yield* administer(postgres, `CREATE ROLE app LOGIN PASSWORD '${secret}'`)
    writeFileSync(
      `${postgres.dataDirectory}/pg_hba.conf`,
      "local all app scram-sha-256\nlocal all all trust\n",
    )
    yield* administer(postgres, "SELECT pg_reload_conf()")
    const wrong = yield* reasonOf({ url: urlOf(postgres, "postgres", `app:not-${secret}`) })
    assert.strictEqual(wrong._tag, "LoginRefused")
    assert.match(wrong.message, /refused user "app": password authentication failed/)
    assert.notInclude(wrong.message, secret)
    const missing = yield* reasonOf({ url: urlOf(postgres, "postgres", "app") })
    assert.strictEqual(missing._tag, "LoginRefused")
    const user = yield* SqlClient.SqlClient.use((sql) => sql`SELECT current_user AS name`).pipe(
      Effect.provide(layerClient({ url: urlOf(postgres, "postgres", `app:${secret}`) })),
    )
    assert.deepStrictEqual(user, [{ name: "app" }])
  }),
)

it.live("bounds every statement and names itself", () =>
  Effect.gen(function* () {
    const { socketPath } = yield* server
    const client = layerClient({ socketPath, statementTimeout: "50 millis", applicationName: "tester" })
    yield* Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`SELECT current_setting('application_name') AS name`, [
        { name: "tester" },
      ])
      const error = yield* Effect.flip(sql`SELECT pg_sleep(30)`)
      assert.strictEqual(error.reason._tag, "StatementTimeoutError")
    }).pipe(Effect.provide(client))
  }),
)
