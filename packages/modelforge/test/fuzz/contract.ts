/** What the contract has, read from the document that is generated from it. */
import { readFileSync } from "node:fs"
import { Schema } from "effect"

const Parameter = Schema.Struct({
  in: Schema.Literals(["path", "query", "header"]),
  name: Schema.String,
  example: Schema.optionalKey(Schema.Unknown),
})
const Media = Schema.Struct({ example: Schema.optionalKey(Schema.Unknown) })
const Described = Schema.Struct({
  operationId: Schema.String,
  parameters: Schema.Array(Parameter),
  requestBody: Schema.optionalKey(Schema.Struct({ content: Schema.Record(Schema.String, Media) })),
  responses: Schema.Record(Schema.String, Schema.Unknown),
})
const Document = Schema.fromJsonString(
  Schema.Struct({ paths: Schema.Record(Schema.String, Schema.Record(Schema.String, Described)) }),
)

const { paths } = Schema.decodeSync(Document)(
  readFileSync(new URL("../../../../docs/openapi.json", import.meta.url), "utf8"),
)

export interface Operation {
  readonly id: string
  readonly method: string
  /** With `{names}`. */
  readonly path: string
  readonly parameters: ReadonlyArray<typeof Parameter.Type>
  /** The example of its JSON body; undefined where it takes none. */
  readonly json: unknown
  /** That it may answer with. */
  readonly statuses: ReadonlyArray<number>
}

export const operations: ReadonlyArray<Operation> = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId, parameters, requestBody, responses }]) => ({
    id: operationId,
    method: method.toUpperCase(),
    path,
    parameters,
    json: requestBody?.content["application/json"]?.example,
    statuses: Object.keys(responses).map(Number),
  })),
)
