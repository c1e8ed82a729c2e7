/** Handlers of models: translate, nothing else. */
import { ForgeApi } from "@modelforge/api"
import { CurrentIdentity, type Model, ModelName, modelsOf, Registry } from "@modelforge/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { permitModel } from "../guard/permitModel.ts"
import { entityTag, expectationOf, tagged, unlessKnown } from "./conditions.ts"
import { makeCursors } from "./cursor.ts"
import { answering, modelName } from "./failures.ts"

const resource = (model: Model) => ({ ...model })

const answer = (model: Model) => tagged(resource(model), entityTag(model))
const configAnswer = ({ config }: Model) => tagged(config, entityTag(config))

export const layerModels = HttpApiBuilder.group(
  ForgeApi,
  "models",
  Effect.fnUntraced(function* (handlers) {
    const registry = yield* Registry
    const { windowOf, pageOf } = yield* makeCursors
    return handlers.handleAll({
      create: ({ payload }) =>
        permitModel(payload.name).pipe(
          Effect.andThen(registry.createModel(payload)),
          Effect.map(answer),
          answering("ModelExists"),
        ),
      list: Effect.fnUntraced(function* ({ query }) {
        const { search, tag, label, state } = query
        const window = yield* windowOf(["models"], query, ModelName.makeOption)
        const models = yield* registry.models(
          { search, tag, label, state, among: modelsOf(yield* CurrentIdentity) ?? undefined },
          { ...window, limit: window.limit + 1 },
        )
        return pageOf(["models"], models.map(resource), window.limit, ({ name }) => name)
      }, answering()),
      get: ({ params, headers }) =>
        modelName(params.model).pipe(
          Effect.flatMap(registry.model),
          Effect.map((model) => unlessKnown(headers, entityTag(model), () => answer(model))),
          answering("ModelNotFound"),
        ),
      update: ({ params, headers, payload }) =>
        modelName(params.model).pipe(
          Effect.flatMap((name) => registry.updateModel(name, payload, expectationOf(headers))),
          Effect.map(answer),
          answering("ModelNotFound", "RevisionMismatch"),
        ),
      remove: ({ params, headers }) =>
        modelName(params.model).pipe(
          Effect.flatMap((name) => registry.deleteModel(name, expectationOf(headers))),
          answering("ModelNotFound", "RevisionMismatch"),
        ),
      config: ({ params, headers }) =>
        modelName(params.model).pipe(
          Effect.flatMap(registry.model),
          Effect.map((model) => unlessKnown(headers, entityTag(model.config), () => configAnswer(model))),
          answering("ModelNotFound"),
        ),
      configure: ({ params, headers, payload }) =>
        modelName(params.model).pipe(
          Effect.flatMap((name) => registry.configure(name, payload, expectationOf(headers))),
          Effect.map(configAnswer),
          answering("ModelNotFound", "RevisionMismatch", "UnusableSample"),
        ),
    })
  }),
)
