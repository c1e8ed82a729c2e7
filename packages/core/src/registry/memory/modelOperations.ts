/** What the registry in memory does with models, and what it tells of them. */
import { Effect, Option } from "effect"
import { auditedModel } from "../../audit/registryEntries.ts"
import type { Model } from "../../model/Model.ts"
import { expecting } from "../Expectation.ts"
import { ModelExists, ModelNotFound } from "../RegistryError.ts"
import type { ModelOperations } from "../RegistryOperations.ts"
import type { ModelFilter } from "../RegistryStore.ts"
import { change, type MemoryRegistry, refuse } from "./MemoryRegistry.ts"
import { emptyModel, toModel, toRoutes } from "./StoredModel.ts"

const matches = (filter: ModelFilter) => (model: Model) => {
  const search = filter.search?.toLowerCase() ?? ""
  return (
    (model.name.includes(search) || model.description.toLowerCase().includes(search)) &&
    (filter.tag === undefined || model.tags.includes(filter.tag)) &&
    (filter.label === undefined ||
      Object.entries(model.labels).some(([key, value]) => `${key}:${value}` === filter.label)) &&
    (filter.state === undefined || model.state === filter.state) &&
    (filter.among?.includes(model.name) ?? true)
  )
}

export const makeModelOperations = (registry: MemoryRegistry): ModelOperations => {
  const { models } = registry
  return {
    insertModel: Effect.fnUntraced(function* ({ name, ...about }) {
      const now = yield* change
      if (models.has(name)) return yield* refuse(new ModelExists({ model: name }))
      const stored = emptyModel(name, now.at)
      stored.about = { ...stored.about, ...about }
      models.set(name, stored)
      registry.record(name, now, { type: "model.created" }, { after: stored.about })
      return toModel(stored)
    }),
    findModel: (name) => Effect.sync(() => Option.map(Option.fromUndefinedOr(models.get(name)), toModel)),
    listModels: (filter, { after, limit }) =>
      Effect.sync(() => {
        const rest = registry.byName().filter((stored) => after === undefined || stored.name > after)
        return rest.map(toModel).filter(matches(filter)).slice(0, limit)
      }),
    updateModel: Effect.fnUntraced(function* (name, fields, expected) {
      const now = yield* change
      const stored = models.get(name)
      if (!stored) return yield* refuse(new ModelNotFound({ model: name }))
      yield* expecting(expected, `model "${name}"`, toModel(stored))
      const before = stored.about
      stored.about = { ...before, ...fields }
      stored.updatedAt = now.at
      registry.record(name, now, { type: "model.updated" }, { before, after: stored.about })
      return toModel(stored)
    }),
    setConfig: Effect.fnUntraced(function* (name, config, expected) {
      const now = yield* change
      const stored = models.get(name)
      if (!stored) return yield* refuse(new ModelNotFound({ model: name }))
      yield* expecting(expected, `config of model "${name}"`, stored.config)
      registry.record(name, now, { type: "model.configured" }, { before: stored.config, after: config })
      stored.config = config
      stored.updatedAt = now.at
      return toModel(stored)
    }),
    deleteModel: Effect.fnUntraced(function* (name, expected) {
      const now = yield* change
      const stored = models.get(name)
      if (!stored) return yield* refuse(new ModelNotFound({ model: name }))
      yield* expecting(expected, `model "${name}"`, toModel(stored))
      models.delete(name)
      for (const { value } of stored.versions.values()) registry.released.set(value.digest, now.at)
      registry.record(name, now, { type: "model.deleted" }, { before: auditedModel(toModel(stored)) })
    }),

    listRoutes: Effect.sync(() => registry.byName().map(toRoutes)),
    findRoutes: (model) => Effect.sync(() => Option.map(Option.fromUndefinedOr(models.get(model)), toRoutes)),
  }
}
