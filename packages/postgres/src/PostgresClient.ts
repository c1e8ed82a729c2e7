/** The connection pool: sane bounds, and a clear refusal at the start when the server cannot be used. */
import { PgClient } from "@effect/sql-pg"
import { Duration, Effect, type Layer, Option, Redacted, Schema } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { CannotConnect, InvalidUrl, LoginRefused, PostgresError } from "./PostgresError.ts"

/** Where the server is. A socket is that of an embedded server: user and database `postgres`, no password. */
export type PostgresAddress = { readonly url: Redacted.Redacted } | { readonly socketPath: string }

export interface PostgresClientOptions {
  /**
   * Default 10, at least 3: two listen for changes. Keep the sum over all processes below the server's
   * `max_connections`.
   */
  readonly maxConnections?: number | undefined
  /** For the network, the TLS handshake and the login together. Default 5 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** The server ends a statement that runs longer. Default 10 seconds. */
  readonly statementTimeout?: Duration.Input | undefined
  /** What `pg_stat_activity` shows. Default `modelforge`. */
  readonly applicationName?: string | undefined
}

interface Target {
  readonly server: string
  readonly user: string
}

const invalid = (detail: string) => Effect.fail(new PostgresError({ reason: new InvalidUrl({ detail }) }))

/** Reads the URL for messages, and refuses what the driver would refuse with the URL in its error. */
const targetOf = Effect.fnUntraced(function* (address: PostgresAddress) {
  if ("socketPath" in address) return { server: address.socketPath, user: "postgres" }
  const text = Redacted.value(address.url)
  if (!URL.canParse(text)) return yield* invalid("it is not a URL")
  const { protocol, hostname, port, username, searchParams } = new URL(text)
  if (protocol !== "postgres:" && protocol !== "postgresql:") {
    return yield* invalid(`it starts with "${protocol}"`)
  }
  const user = searchParams.get("user") ?? Option.getOrElse(decodeComponent(username), () => username)
  if (user === "") return yield* invalid("it names no user")
  const host = searchParams.get("host") ?? (hostname === "" ? "localhost" : hostname)
  return { server: `${host}:${searchParams.get("port") ?? (port === "" ? "5432" : port)}`, user }
})

const decodeComponent = Option.liftThrowable(decodeURIComponent)

const ConnectionFailure = Schema.Struct({ code: Schema.optionalKey(Schema.String), message: Schema.String })
const decodeFailure = Schema.decodeUnknownOption(ConnectionFailure)

const plain: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ENOENT: "there is no such socket",
  ENOTFOUND: "the host name is not known",
  EAI_AGAIN: "the host name could not be looked up",
  ETIMEDOUT: "no answer in time",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
}

/** What the network or the server said; an error with several addresses tried has a code but no message. */
const describe = (cause: unknown): string =>
  Option.match(decodeFailure(cause), {
    onNone: () => "the connection failed",
    onSome: ({ code, message }) => plain[code ?? ""] ?? (message || code || "the connection failed"),
  })

const refused =
  ({ server, user }: Target) =>
  ({ reason }: SqlError.SqlError) => {
    const detail = describe(reason.cause)
    const Refusal = reason._tag === "AuthenticationError" ? LoginRefused : CannotConnect
    return new PostgresError({ reason: new Refusal({ server, user, detail }) })
  }

const milliseconds = (duration: Duration.Input) => String(Math.ceil(Duration.toMillis(duration)))

const open = Effect.fn("PostgresClient.open")(function* (
  address: PostgresAddress,
  options: PostgresClientOptions,
) {
  const target = yield* targetOf(address)
  const client = yield* PgClient.make({
    ...("url" in address
      ? { url: address.url }
      : { path: address.socketPath, username: "postgres", database: "postgres" }),
    applicationName: options.applicationName ?? "modelforge",
    maxConnections: Math.max(3, options.maxConnections ?? 10),
    connectTimeout: options.connectTimeout ?? "5 seconds",
    keepAlive: "30 seconds",
    // One row holds all routes of a model.
    maxMessageSize: 64 * 1024 * 1024,
    startupParameters: {
      statement_timeout: milliseconds(options.statementTimeout ?? "10 seconds"),
      // A process that stalls inside a transaction must not keep its locks.
      idle_in_transaction_session_timeout: "30000",
    },
  }).pipe(
    // The pool connects on first use; connect now, so that a wrong address fails the start.
    Effect.tap((sql) => sql`SELECT 1`),
    Effect.mapError(refused(target)),
  )
  return client
})

/**
 * A pool on the server. Fails with `PostgresError` within `connectTimeout` when there is no server, no login, or the
 * URL makes no sense; the message never holds the password. Session settings travel in the startup packet: a pooler
 * in between must pass `statement_timeout` and `idle_in_transaction_session_timeout` on.
 */
export const layerClient = (
  options: PostgresAddress & PostgresClientOptions,
): Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, PostgresError> =>
  PgClient.layerFrom(open(options, options))
