/** How an operation of a store runs: bounded in time, with the driver's failures translated in one place. */
import { StoreUnavailable } from "@modelforge/core"
import { Effect, Schedule, Schema } from "effect"
import { SqlError } from "effect/sql"

/** Longer than any statement may take: it bounds the wait for a connection, and for a server that went silent. */
const deadline = "15 seconds"

/** A statement that ran into its timeout would do so again. */
const isTransient = (error: unknown) =>
  SqlError.isSqlError(error) && error.isRetryable && error.reason._tag !== "StatementTimeoutError"

/** `fail` makes the store's own error of a database that does not answer as it should. */
export const operationsOf = <E>(store: string, fail: (reason: StoreUnavailable) => E) => {
  type Failure = E | SqlError.SqlError | Schema.SchemaError

  const unavailable = (operation: string, cause: unknown) => fail(new StoreUnavailable({ operation, cause }))

  /** Runs a change, once. What is not an outcome of the domain is `StoreUnavailable`; a row that does not decode is a bug. */
  const write =
    (operation: string) =>
    <A, R>(effect: Effect.Effect<A, Failure, R>): Effect.Effect<A, E, R> =>
      effect.pipe(
        Effect.timeoutOrElse({
          duration: deadline,
          orElse: () => Effect.fail(unavailable(operation, new Error(`no answer within ${deadline}`))),
        }),
        Effect.catch((error: Failure): Effect.Effect<never, E> => {
          if (SqlError.isSqlError(error)) return Effect.fail(unavailable(operation, error))
          return Schema.isSchemaError(error) ? Effect.die(error) : Effect.fail(error)
        }),
        Effect.withSpan(`${store}.${operation}`),
      )

  /** Runs what changes nothing, again after a transient failure. */
  const read =
    (operation: string) =>
    <A, R>(effect: Effect.Effect<A, Failure, R>): Effect.Effect<A, E, R> =>
      effect.pipe(
        Effect.retry({
          while: isTransient,
          schedule: Schedule.exponential("20 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 3 })),
        }),
        write(operation),
      )

  return { read, write }
}
