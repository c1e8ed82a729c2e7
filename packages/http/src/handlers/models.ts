/** Handlers of models and aliases: translate, nothing else. */
import { AliasNotFoundProblem, ForgeApi } from "@modelforge/api"
import { AliasName, type Model, ModelName, Registry } from "@modelforge/core"
import { Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { pageOf, windowOf } from "./cursor.ts"
import { answering, modelName } from "./failures.ts"

const resource = (model: Model) => ({ ...model, traffic: null })

export const layerModels = HttpApiBuilder.group(
  ForgeApi,
  "models",
  Effect.fnUntraced(function* (handlers) {
    const registry = yield* Registry
    return handlers.handleAll({
      create: ({ payload }) =>
        registry.createModel(payload).pipe(Effect.map(resource), answering("ModelExists")),
      list: Effect.fnUntraced(function* ({ query }) {
        const { search, tag, state } = query
        const window = yield* windowOf(query, ModelName.makeOption)
        const models = yield* registry.models({ search, tag, state }, { ...window, limit: window.limit + 1 })
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
      setAlias: Effect.fnUntraced(
        function* ({ params: { model, alias }, payload: { version } }) {
          yield* registry.setAlias(yield* modelName(model), alias, version)
          return { alias, version }
        },
        answering("ModelNotFound", "VersionNotFound", "VersionConflict"),
      ),
      removeAlias: Effect.fnUntraced(function* ({ params: { model, alias } }) {
        const name = yield* modelName(model)
        const known = AliasName.makeOption(alias)
        const existed = Option.isSome(known) && (yield* registry.deleteAlias(name, known.value))
        if (!existed)
          return yield* new AliasNotFoundProblem({
            model,
            alias,
            detail: `Model "${model}" has no alias "${alias}"`,
          })
      }, answering("ModelNotFound")),
    })
  }),
)
