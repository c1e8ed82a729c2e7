/** What the contract has, read from the document that is generated from it. */
import { readFileSync } from "node:fs"
import { Schema } from "effect"

const Operation = Schema.Struct({ responses: Schema.Record(Schema.String, Schema.Unknown) })
const Document = Schema.fromJsonString(
  Schema.Struct({ paths: Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Unknown)) }),
)

const { paths } = Schema.decodeSync(Document)(
  readFileSync(new URL("../../../../docs/openapi.json", import.meta.url), "utf8"),
)

export interface Operation {
  readonly method: string
  /** With `{names}`. */
  readonly path: string
  /** That it may answer with. */
  readonly statuses: ReadonlyArray<number>
}

const isOperation = Schema.is(Operation)

export const operations: ReadonlyArray<Operation> = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).flatMap(([method, operation]) =>
    isOperation(operation)
      ? [{ method: method.toUpperCase(), path, statuses: Object.keys(operation.responses).map(Number) }]
      : [],
  ),
)
