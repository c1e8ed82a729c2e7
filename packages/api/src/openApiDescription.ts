/** What is added to the OpenAPI document that is generated from the contract: examples, and what schemas can't say. */
import type * as OpenApi from "effect/http-api/OpenApi"
import * as AccessProblems from "./AccessProblems.ts"
import { operationExamples } from "./examples/operationExamples.ts"
import * as IdempotencyProblems from "./IdempotencyProblems.ts"
import { replayedHeader } from "./IdempotentRequests.ts"
import * as Problems from "./Problems.ts"
import * as ProtectionProblems from "./ProtectionProblems.ts"
import * as UploadProblems from "./UploadProblems.ts"

/** Of path parameters, where an operation says no other. */
const parameterExamples: Readonly<Record<string, string>> = {
  model: "wine",
  version: "1",
  alias: "production",
  key: "4zk2m8q0xw7c",
  user: "0b0ff7a4-34ab-4a8e-8a4a-6c0f8c8d6b1e",
  upload: "6c84fb90-12c4-41e1-a5c8-2f1f0e0b9f3a",
}

/** Query parameters that are numbers: codecs from text would be shown as patterns. */
const numbers: Readonly<Record<string, object>> = {
  limit: { type: "integer", minimum: 1, maximum: 200, default: 50 },
}

/** Every problem as it is sent, by the name of its schema. */
const problemExamples: ReadonlyMap<string, unknown> = new Map(
  Object.entries({
    ...Problems,
    ...AccessProblems,
    ...IdempotencyProblems,
    ...ProtectionProblems,
    ...UploadProblems,
  }).map(([name, Problem]) => {
    // Each class takes its own example; of a union of classes that can't be said.
    const problem: unknown = JSON.parse(JSON.stringify(new Problem(Problem.example as never)))
    return [`${name}Encoded`, problem]
  }),
)

/** What V2 says where `/v1` would send a problem. */
const failureExamples: Readonly<Record<string, string>> = {
  401: 'This server asks for a key: send "Authorization: Bearer mf_…" or "x-api-key: mf_…"',
  403: 'This asks for a key with the scope "predict"',
  400: "inputs.features: missing: expected FP32 [batch, 13]",
  404: "Request for unknown model: 'nose' is not found",
  408: "The body came too slowly, or did not go on",
  413: "The body is larger than the 67108864 bytes taken here",
  415: "The content encoding br is not supported: use gzip or deflate",
  429: "The caller is over its limit of 100 requests in 60 seconds: try again in 12 seconds",
  500: "The server failed; the failure was logged",
  501: "Sequences are not served here",
  503: 'Model "wine" is not ready: it was unloaded',
  504: "There was no answer within 30000 ms",
}

/** How a caller says who it is. Until a key was made, a server of its own machine asks for none. */
const securitySchemes = {
  bearer: {
    type: "http",
    scheme: "bearer",
    description: "An API key, `mf_…`, or a token that the dashboard signed.",
  },
  apiKey: { type: "apiKey", in: "header", name: "x-api-key", description: "An API key, `mf_…`." },
}

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The names of the schemas that one schema refers to. */
const namesIn = (schema: unknown): ReadonlyArray<string> => {
  if (Array.isArray(schema)) return schema.flatMap(namesIn)
  if (!isObject(schema)) return []
  const { $ref } = schema
  return typeof $ref === "string"
    ? [$ref.slice($ref.lastIndexOf("/") + 1)]
    : Object.values(schema).flatMap(namesIn)
}

const problemMedia = (media: OpenApi.OpenApiSpecMediaType) => ({
  ...media,
  examples: Object.fromEntries(
    namesIn(media.schema).flatMap((name) => {
      const value = problemExamples.get(name)
      return value === undefined ? [] : [[name.replace(/Encoded$/, ""), { value }]]
    }),
  ),
})

/** Answers may gain members: whoever reads them passes over what they don't know. */
const open = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(open)
  if (!isObject(schema)) return schema
  return Object.fromEntries(
    Object.entries(schema).flatMap(([key, value]) =>
      key === "additionalProperties" && value === false ? [] : [[key, open(value)]],
    ),
  )
}

const answerContent = (
  content: OpenApi.OpenApiSpecContent,
  example: unknown,
  failure: string | undefined,
): OpenApi.OpenApiSpecContent =>
  Object.fromEntries(
    Object.entries(content).map(([type, media]) => {
      const opened = { ...media, schema: open(media.schema) as typeof media.schema }
      if (type === "application/problem+json") return [type, problemMedia(opened)]
      const value = example ?? (failure === undefined ? undefined : { error: failure })
      return [
        type,
        type !== "application/json" || value === undefined ? opened : { ...opened, example: value },
      ]
    }),
  )

/** A body that may be null may be left out. */
const requestBody = (body: OpenApi.OpenAPISpecRequestBody, example: unknown) => {
  const content = Object.fromEntries(
    Object.entries(body.content).map(([type, media]) => {
      const { anyOf } = media.schema
      const others = Array.isArray(anyOf)
        ? anyOf.filter((one) => !isObject(one) || one["type"] !== "null")
        : []
      const isOptional = Array.isArray(anyOf) && others.length < anyOf.length
      const schema = isOptional && others.length === 1 ? others[0] : media.schema
      const shown = { ...media, schema }
      return [
        type,
        { isOptional, media: type === "application/json" ? { ...shown, example } : shown },
      ] as const
    }),
  )
  return {
    required: !Object.values(content).some(({ isOptional }) => isOptional),
    content: Object.fromEntries(Object.entries(content).map(([type, { media }]) => [type, media])),
  }
}

/** Of an answer that was given before. */
const replayed = {
  [replayedHeader]: {
    required: false,
    description: "`true` when this is the answer to an earlier request with the same `Idempotency-Key`.",
    schema: { type: "string", enum: ["true"] },
  },
}

const describeOperation = (operation: OpenApi.OpenAPISpecOperation) => {
  const { parameters = {}, body, answer, refusals = {} } = operationExamples[operation.operationId] ?? {}
  const isIdempotent = operation.parameters.some(({ name }) => name === "idempotency-key")
  return {
    ...operation,
    parameters: operation.parameters.map((parameter) => {
      const example =
        parameters[parameter.name] ??
        (parameter.in === "path" ? parameterExamples[parameter.name] : undefined)
      const schema = parameter.in === "query" ? numbers[parameter.name] : undefined
      return {
        ...parameter,
        ...(schema === undefined ? {} : { schema }),
        ...(example === undefined ? {} : { example }),
      }
    }),
    ...(operation.requestBody === undefined ? {} : { requestBody: requestBody(operation.requestBody, body) }),
    responses: Object.fromEntries(
      Object.entries(operation.responses).map(([status, response]) => {
        const headers = { ...response.headers, ...(isIdempotent ? replayed : {}) }
        return [
          status,
          {
            ...response,
            ...(Object.keys(headers).length === 0 ? {} : { headers }),
            ...(response.content === undefined
              ? {}
              : {
                  content: answerContent(
                    response.content,
                    Number(status) < 400 ? answer : refusals[status],
                    failureExamples[status],
                  ),
                }),
          },
        ]
      }),
    ),
  }
}

/** Adds to the generated document. */
export const describe = (document: Readonly<Record<string, unknown>>): Record<string, unknown> => {
  // Transforms are handed a record, which is the document that was generated.
  const spec = document as unknown as OpenApi.OpenAPISpec
  const paths = Object.entries(spec.paths).map(([path, item]) => [
    path,
    Object.fromEntries(
      Object.entries(item).map(([method, operation]) => [
        method,
        describeOperation(operation as OpenApi.OpenAPISpecOperation),
      ]),
    ),
  ])
  return {
    ...document,
    // Relative to the document: wherever the API is mounted, that is right.
    servers: [{ url: "." }],
    paths: Object.fromEntries(paths),
    components: { ...spec.components, securitySchemes, schemas: open(spec.components.schemas) },
  }
}
