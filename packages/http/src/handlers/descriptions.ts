/** Handlers of the descriptions of models. */
import { describeModel, ForgeApi } from "@modelforge/api"
import {
  elementCount,
  type ModelName,
  type NestedValue,
  productionAlias,
  Registry,
  RegistryError,
  RoutingTable,
  type Signature,
  syntheticInputs,
  toNested,
  type Version,
  VersionNotFound,
} from "@modelforge/core"
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { entityTag, revalidated, unlessKnown } from "./conditions.ts"
import { answering, modelName } from "./failures.ts"

/** Elements of all inputs that an example shows at most. */
const longestExample = 4096

/** Inputs that fit; undefined where they would be too many to read. */
const exampleInputs = (signature: Signature): Readonly<Record<string, NestedValue>> | undefined => {
  const tensors = Object.entries(syntheticInputs(signature, 1) ?? {})
  const count = tensors.reduce((sum, [, { shape }]) => sum + elementCount(shape), 0)
  if (tensors.length < signature.inputs.length || count > longestExample) return undefined
  return Object.fromEntries(tensors.map(([name, tensor]) => [name, toNested(tensor)]))
}

const describeVersion = ({ model, version, description, signature }: Version, pinned: boolean) =>
  describeModel({ model, version, pinned, description, signature, inputs: exampleInputs(signature) })

const answer = (headers: { readonly "if-none-match"?: string }, version: Version, pinned: boolean) => {
  const document = describeVersion(version, pinned)
  const etag = entityTag(document)
  return unlessKnown(headers, etag, () =>
    HttpServerResponse.text(JSON.stringify(document), {
      contentType: "application/json",
      headers: { etag, ...revalidated },
    }),
  )
}

export const layerDescriptions = HttpApiBuilder.group(
  ForgeApi,
  "descriptions",
  Effect.fnUntraced(function* (handlers) {
    const registry = yield* Registry
    const routing = yield* RoutingTable

    /** The version that most requests without one go to. */
    const usual = Effect.fnUntraced(function* (model: ModelName) {
      const { aliases } = yield* registry.model(model)
      const production = Object.entries(aliases).find(([alias]) => alias === productionAlias)?.[1]
      const number = production ?? routing.readyVersions(model)?.at(-1)?.version
      return number === undefined
        ? yield* new RegistryError({ reason: new VersionNotFound({ model, version: null }) })
        : yield* registry.version(model, String(number))
    })

    return handlers
      .handleRaw("model", ({ params, headers }) =>
        modelName(params.model).pipe(
          Effect.flatMap(usual),
          Effect.map((version) => answer(headers, version, false)),
          answering("ModelNotFound", "VersionNotFound"),
        ),
      )
      .handleRaw("version", ({ params, headers }) =>
        modelName(params.model).pipe(
          Effect.flatMap((model) => registry.version(model, params.version)),
          Effect.map((version) => answer(headers, version, true)),
          answering("ModelNotFound", "VersionNotFound"),
        ),
      )
  }),
)
