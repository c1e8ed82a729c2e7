/** How an operation of the registry runs: bounded in time, with the driver's failures translated in one place. */
import { RegistryError, StoreUnavailable } from "@modelforge/core"
import { Effect, Schedule, type Schema } from "effect"
import { SqlError } from "effect/sql"

type Failure = RegistryError | SqlError.SqlError | Schema.SchemaError

/** Longer than any statement may take: it bounds the wait for a connection, and for a server that went silent. */
const deadline = "15 seconds"

const unavailable = (operation: string, cause: unknown) =>
  new RegistryError({ reason: new StoreUnavailable({ operation, cause }) })

/** A statement that ran into its timeout would do so again. */
const isTransient = (error: Failure) =>
  SqlError.isSqlError(error) && error.isRetryable && error.reason._tag !== "StatementTimeoutError"

/** Runs a change, once. What is not an outcome of the domain is `StoreUnavailable`; a row that does not decode is a bug. */
export const write =
  (operation: string) =>
  <A, R>(effect: Effect.Effect<A, Failure, R>): Effect.Effect<A, RegistryError, R> =>
    effect.pipe(
      Effect.timeoutOrElse({
        duration: deadline,
        orElse: () => Effect.fail(unavailable(operation, new Error(`no answer within ${deadline}`))),
      }),
      Effect.catchTags({
        SqlError: (error) => Effect.fail(unavailable(operation, error)),
        SchemaError: (error) => Effect.die(error),
      }),
      Effect.withSpan(`PostgresRegistryStore.${operation}`),
    )

/** Runs what changes nothing, again after a transient failure. */
export const read =
  (operation: string) =>
  <A, R>(effect: Effect.Effect<A, Failure, R>): Effect.Effect<A, RegistryError, R> =>
    effect.pipe(
      Effect.retry({
        while: isTransient,
        schedule: Schedule.exponential("20 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 3 })),
      }),
      write(operation),
    )
