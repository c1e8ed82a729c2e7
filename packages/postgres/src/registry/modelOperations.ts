/** What the registry does with models, and what it tells of them. */
import {
  Actor,
  auditedModel,
  type Expectation,
  expecting,
  ModelExists,
  type ModelName,
  type ModelOperations,
} from "@modelforge/core"
import { Effect } from "effect"
import { read, write } from "../registryOperation.ts"
import { about, noModel, orRefuse, type PostgresRegistry, refuse } from "./PostgresRegistry.ts"

export const makeModelOperations = (registry: PostgresRegistry): ModelOperations => {
  const { statements, record, transaction } = registry

  /** Locks a model, which is to be the expected one or to have the expected config, and gives it as it is. */
  const lockExpected = Effect.fnUntraced(function* (
    name: ModelName,
    expected: Expectation | undefined,
    part: "model" | "config" = "model",
  ) {
    yield* statements.lockModel(name)
    const model = yield* registry.findModel(name)
    if (part === "model") yield* expecting(expected, `model "${name}"`, model)
    else yield* expecting(expected, `config of model "${name}"`, model.config)
    return model
  })

  return {
    insertModel: Effect.fnUntraced(
      function* (draft) {
        const inserted = yield* statements.insertModel(draft).pipe(
          // Its only unique constraint is the name.
          Effect.catchReason("SqlError", "UniqueViolation", () =>
            refuse(new ModelExists({ model: draft.name })),
          ),
        )
        yield* record(draft.name, yield* Actor, { type: "model.created" }, { after: about(inserted) })
        return inserted
      },
      transaction,
      write("insertModel"),
    ),
    findModel: (name) => read("findModel")(statements.findModel(name)),
    listModels: (filter, window) => read("listModels")(statements.listModels(filter, window)),
    updateModel: Effect.fnUntraced(
      function* (name, change, expected) {
        const before = yield* lockExpected(name, expected)
        const updated = yield* orRefuse(noModel(name))(statements.updateModel(name, change))
        const details = { before: about(before), after: about(updated) }
        yield* record(name, yield* Actor, { type: "model.updated" }, details)
        return updated
      },
      transaction,
      write("updateModel"),
    ),
    setConfig: Effect.fnUntraced(
      function* (name, config, expected) {
        const before = yield* lockExpected(name, expected, "config")
        const configured = yield* orRefuse(noModel(name))(statements.setConfig(name, config))
        const details = { before: before.config, after: configured.config }
        yield* record(name, yield* Actor, { type: "model.configured" }, details)
        return configured
      },
      transaction,
      write("setConfig"),
    ),
    deleteModel: Effect.fnUntraced(
      function* (name, expected) {
        const before = auditedModel(yield* lockExpected(name, expected))
        yield* statements.deleteModel(name)
        yield* record(name, yield* Actor, { type: "model.deleted" }, { before })
      },
      transaction,
      write("deleteModel"),
    ),

    listRoutes: read("listRoutes")(statements.listRoutes),
    findRoutes: (model) => read("findRoutes")(statements.findRoutes(model)),
  }
}
