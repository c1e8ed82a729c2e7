/** The OpenAPI document of one model: its predictions, with schemas and an example made of its signature. */
import type { Signature } from "@modelforge/core/model"
import {
  inferRequestSchema,
  inferResponseSchema,
  type JsonSchema,
  predictRequestSchema,
  predictResponseSchema,
} from "./signatureSchemas.ts"

export interface DescribedModel {
  readonly model: string
  readonly version: number
  /** The document is of this version, whatever answers requests without one. */
  readonly pinned: boolean
  readonly description: string
  readonly signature: Signature
  /** Inputs that fit, nested; undefined where they would be too large to show. */
  readonly inputs: Readonly<Record<string, unknown>> | undefined
}

const json = (schema: JsonSchema, example?: unknown) => ({
  "application/json": { schema, ...(example === undefined ? {} : { example }) },
})

const problem = (description: string) => ({
  description,
  content: {
    "application/problem+json": {
      schema: {
        type: "object",
        properties: {
          type: { type: "string" },
          title: { type: "string" },
          status: { type: "integer" },
          detail: { type: "string" },
        },
        required: ["type", "title", "status"],
      },
    },
  },
})

const failure = (description: string) => ({
  description,
  content: json({ type: "object", properties: { error: { type: "string" } }, required: ["error"] }),
})

/** Elements of a nesting in row-major order, and its shape. */
const flat = (
  value: unknown,
): { readonly shape: ReadonlyArray<number>; readonly data: ReadonlyArray<unknown> } => {
  if (!Array.isArray(value)) return { shape: [], data: [value] }
  const inner = value.map(flat)
  return { shape: [value.length, ...(inner[0]?.shape ?? [])], data: inner.flatMap(({ data }) => data) }
}

const predictExample = ({ inputs, pinned, version }: DescribedModel) =>
  inputs === undefined ? undefined : { inputs, ...(pinned ? { version } : {}) }

const inferExample = ({ inputs, signature }: DescribedModel) =>
  inputs === undefined
    ? undefined
    : {
        inputs: signature.inputs.map(({ name, datatype }) => ({ name, datatype, ...flat(inputs[name]) })),
      }

/** OpenAPI 3.1. Relative to where the API is mounted, three levels above the model's own document. */
export const describeModel = (described: DescribedModel) => {
  const { model, version, pinned, description, signature } = described
  const versionPath = pinned ? `/versions/${version}` : ""
  return {
    openapi: "3.1.0",
    info: { title: model, version: String(version), ...(description === "" ? {} : { description }) },
    servers: [{ url: pinned ? "../../../../.." : "../../.." }],
    paths: {
      [`/v1/models/${model}/predict`]: {
        post: {
          operationId: "predict",
          summary: `Run ${model}`,
          requestBody: {
            required: true,
            content: json(predictRequestSchema(signature), predictExample(described)),
          },
          responses: {
            "200": { description: "The outputs", content: json(predictResponseSchema(signature)) },
            "422": problem("The inputs do not fit, or the model failed on them"),
            default: problem("Anything else that went wrong"),
          },
        },
      },
      [`/v2/models/${model}${versionPath}/infer`]: {
        post: {
          operationId: "infer",
          summary: `Run ${model} by the Open Inference Protocol`,
          requestBody: {
            required: true,
            content: json(inferRequestSchema(signature), inferExample(described)),
          },
          responses: {
            "200": { description: "The outputs", content: json(inferResponseSchema(signature)) },
            "400": failure("The inputs do not fit"),
            default: failure("Anything else that went wrong"),
          },
        },
      },
    },
  }
}
