/** Handlers of models: translate, nothing else. */
import { ForgeApi } from "@modelforge/api"
import { CurrentIdentity, type Model, ModelName, modelsOf, Registry } from "@modelforge/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { permitModel } from "../guard/permitModel.ts"
import { pageOf, windowOf } from "./cursor.ts"
import { answering, modelName } from "./failures.ts"

const resource = (model: Model) => ({ ...model })

export const layerModels = HttpApiBuilder.group(
  ForgeApi,
  "models",
  Effect.fnUntraced(function* (handlers) {
    const registry = yield* Registry
    return handlers.handleAll({
      create: ({ payload }) =>
        permitModel(payload.name).pipe(
          Effect.andThen(registry.createModel(payload)),
          Effect.map(resource),
          answering("ModelExists"),
        ),
      list: Effect.fnUntraced(function* ({ query }) {
        const { search, tag, label, state } = query
        const window = yield* windowOf(query, ModelName.makeOption)
        const models = yield* registry.models(
          { search, tag, label, state, among: modelsOf(yield* CurrentIdentity) ?? undefined },
          { ...window, limit: window.limit + 1 },
        )
        return pageOf(models.map(resource), window.limit, ({ name }) => name)
      }, answering()),
      get: ({ params }) =>
        modelName(params.model).pipe(
          Effect.flatMap(registry.model),
          Effect.map(resource),
          answering("ModelNotFound"),
        ),
      update: ({ params, payload }) =>
        modelName(params.model).pipe(
          Effect.flatMap((name) => registry.updateModel(name, payload)),
          Effect.map(resource),
          answering("ModelNotFound"),
        ),
      remove: ({ params }) =>
        modelName(params.model).pipe(Effect.flatMap(registry.deleteModel), answering("ModelNotFound")),
      config: ({ params }) =>
        modelName(params.model).pipe(
          Effect.flatMap(registry.model),
          Effect.map(({ config }) => config),
          answering("ModelNotFound"),
        ),
      configure: ({ params, payload }) =>
        modelName(params.model).pipe(
          Effect.flatMap((name) => registry.configure(name, payload)),
          Effect.map(({ config }) => config),
          answering("ModelNotFound"),
        ),
    })
  }),
)
