/** From rows to values, for every statement. A row that does not decode fails with `SchemaError`. */
import { Array, Effect, Schema } from "effect"
import type { SqlError, Statement } from "effect/sql"

/** PostgreSQL's text holds every character but NUL. */
export const text = (value: string) => value.replaceAll("\0", "\uFFFD")
export const textOrNull = (value: string | null | undefined) => (value == null ? null : text(value))
export const json = (value: unknown) => JSON.stringify(value)

/** Columns are named as the schemas name them, whatever name transforms the client of a host may have. */
export const rows = <Row extends Schema.Constraint>(schema: Row) => {
  const decode = Schema.decodeUnknownEffect(Schema.Array(schema))
  return (
    statement: Statement.Statement<unknown & object>,
  ): Effect.Effect<
    ReadonlyArray<Row["Type"]>,
    SqlError.SqlError | Schema.SchemaError,
    Row["DecodingServices"]
  > => Effect.flatMap(statement.withoutTransform, decode)
}

/** The one row of a statement that gives one. */
export const only = <A, E, R>(all: Effect.Effect<ReadonlyArray<A>, E, R>) =>
  Effect.flatMap(all, (rows) => Effect.orDie(Effect.fromOption(Array.head(rows))))
