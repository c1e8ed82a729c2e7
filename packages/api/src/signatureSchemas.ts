/** JSON Schemas of the tensors of a signature, as predictions take and give them. */
import type { Datatype, Dimension, Signature, TensorSpec } from "@modelforge/core/model"

export type JsonSchema = Readonly<Record<string, unknown>>

const integer = (minimum: number, maximum: number): JsonSchema => ({ type: "integer", minimum, maximum })

/**
 * One element, as requests have it. 64-bit integers have no bounds: a JSON number beyond 2^53 is another one to most who
 * would check it. The largest floats that are finite are as their datatypes have them, before rounding.
 */
const elements: Readonly<Record<Datatype, JsonSchema>> = {
  BOOL: { type: "boolean" },
  UINT8: integer(0, 255),
  UINT16: integer(0, 65_535),
  UINT32: integer(0, 4_294_967_295),
  UINT64: { type: "integer", minimum: 0, format: "uint64" },
  INT8: integer(-128, 127),
  INT16: integer(-32_768, 32_767),
  INT32: integer(-2_147_483_648, 2_147_483_647),
  INT64: { type: "integer", format: "int64" },
  FP16: { type: "number", minimum: -65_504, maximum: 65_504 },
  BF16: { type: "number", minimum: -3.3895313892515355e38, maximum: 3.3895313892515355e38 },
  FP32: { type: "number", minimum: -3.4028234663852886e38, maximum: 3.4028234663852886e38, format: "float" },
  FP64: { type: "number", format: "double" },
  BYTES: { type: "string" },
}

const isFloat = (datatype: Datatype) => datatype.startsWith("FP") || datatype === "BF16"

/** What JSON has no numbers for. */
const words: JsonSchema = { enum: ["NaN", "Infinity", "-Infinity"] }

const answerElement = (datatype: Datatype): JsonSchema =>
  isFloat(datatype) ? { anyOf: [{ type: "number" }, words] } : elements[datatype]

/** How many entries one level of a nesting has. The first is a batch, and what is not innermost shows what is in it. */
const sizes = (size: Dimension, axis: number, rank: number, isRequest: boolean): JsonSchema => {
  if (typeof size === "number" && size >= 0) return { minItems: size, maxItems: size }
  return isRequest && (axis === 0 || axis < rank - 1) ? { minItems: 1 } : {}
}

const named = (size: Dimension): JsonSchema => (typeof size === "string" ? { description: `"${size}"` } : {})

const nested = ({ shape }: TensorSpec, element: JsonSchema, isRequest: boolean): JsonSchema =>
  shape.reduceRight<JsonSchema>(
    (items, size, axis) => ({
      type: "array",
      ...named(size),
      items,
      ...sizes(size, axis, shape.length, isRequest),
    }),
    element,
  )

const properties = (specs: ReadonlyArray<TensorSpec>, schemaOf: (spec: TensorSpec) => JsonSchema) =>
  Object.fromEntries(specs.map((spec) => [spec.name, schemaOf(spec)]))

const names = (specs: ReadonlyArray<TensorSpec>) => specs.map(({ name }) => name)

const object = (required: ReadonlyArray<string>, members: Readonly<Record<string, unknown>>): JsonSchema => ({
  type: "object",
  properties: members,
  required,
})

/** No schema is a union of nothing. */
const anyOf = (schemas: ReadonlyArray<JsonSchema>): JsonSchema | false =>
  schemas.length === 0 ? false : { anyOf: schemas }

const oneOf = (specs: ReadonlyArray<TensorSpec>): JsonSchema | false =>
  specs.length === 0 ? false : { enum: names(specs) }

const parameters: JsonSchema = {
  type: "object",
  additionalProperties: { type: ["string", "number", "boolean"] },
}

/** Bodies of `/v1/…/predict`: nested arrays by the names of inputs. */
export const predictRequestSchema = ({ inputs, outputs }: Signature): JsonSchema =>
  object(["inputs"], {
    inputs: {
      ...object(
        names(inputs),
        properties(inputs, (spec) => nested(spec, elements[spec.datatype], true)),
      ),
      additionalProperties: false,
    },
    outputs: { type: "array", items: oneOf(outputs), uniqueItems: true },
    version: { type: ["string", "integer"] },
    parameters: { type: "object" },
  })

export const predictResponseSchema = ({ outputs }: Signature): JsonSchema =>
  object(["model", "version", "outputs", "cache", "timings", "id"], {
    model: { type: "string" },
    version: { type: "integer" },
    // Only those asked for.
    outputs: {
      type: "object",
      properties: properties(outputs, (spec) => nested(spec, answerElement(spec.datatype), false)),
    },
    cache: { enum: ["hit", "miss", "coalesced", "bypass"] },
    timings: object(["queueMs", "computeMs", "totalMs"], {
      queueMs: { type: "number" },
      computeMs: { type: "number" },
      totalMs: { type: "number" },
    }),
    id: { type: "string" },
  })

const shapeSchema = (shape: TensorSpec["shape"]): JsonSchema => ({
  type: "array",
  ...(shape.length === 0 ? {} : { prefixItems: sizeSchemas(shape) }),
  items: false,
  minItems: shape.length,
})

const sizeSchemas = (shape: TensorSpec["shape"]) =>
  shape.map((size, axis) =>
    typeof size === "number" && size >= 0
      ? { const: size }
      : { type: "integer", minimum: axis === 0 ? 1 : 0, ...named(size) },
  )

const count = (shape: TensorSpec["shape"]): number | undefined =>
  shape.every((size) => typeof size === "number" && size >= 0)
    ? shape.reduce<number>((product, size) => product * Number(size), 1)
    : undefined

/** Elements in row-major order: flat, or nested along the shape. */
const dataSchema = (spec: TensorSpec): JsonSchema => {
  const element = elements[spec.datatype]
  const total = count(spec.shape)
  const flat = {
    type: "array",
    items: element,
    ...(total === undefined ? {} : { minItems: total, maxItems: total }),
  }
  return spec.shape.length < 2 ? flat : { anyOf: [flat, nested(spec, element, true)] }
}

const tensorSchema = (spec: TensorSpec): JsonSchema =>
  object(["name", "datatype", "shape", "data"], {
    name: { const: spec.name },
    datatype: { const: spec.datatype },
    shape: shapeSchema(spec.shape),
    data: dataSchema(spec),
    parameters,
  })

const hasInput = ({ name }: TensorSpec): JsonSchema => ({
  contains: { properties: { name: { const: name } }, required: ["name"] },
})

/** JSON bodies of V2's infer. Tensors as bytes are not JSON, and not described. */
export const inferRequestSchema = ({ inputs, outputs }: Signature): JsonSchema =>
  object(["inputs"], {
    id: { type: "string" },
    inputs: {
      type: "array",
      items: anyOf(inputs.map(tensorSchema)),
      minItems: inputs.length,
      maxItems: inputs.length,
      ...(inputs.length === 0 ? {} : { allOf: inputs.map(hasInput) }),
    },
    outputs: {
      type: "array",
      items: object(["name"], { name: oneOf(outputs), parameters }),
    },
    parameters,
  })

export const inferResponseSchema = ({ outputs }: Signature): JsonSchema =>
  object(["model_name", "model_version", "outputs"], {
    model_name: { type: "string" },
    model_version: { type: "string" },
    id: { type: "string" },
    outputs: {
      type: "array",
      items: {
        ...object(["name", "datatype", "shape"], {
          name: oneOf(outputs),
          datatype: { type: "string" },
          shape: { type: "array", items: { type: "integer" } },
          data: { type: "array" },
          parameters,
        }),
      },
    },
  })
