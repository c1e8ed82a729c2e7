/** `RegistryStore` on PostgreSQL. The schema, its constraints and the lock of a model's row make it atomic. */
import type { RegistryReason } from "@modelforge/core"
import {
  DuplicateVersion,
  ModelExists,
  ModelNotFound,
  RegistryError,
  RegistryStore,
  VersionConflict,
  VersionNotFound,
} from "@modelforge/core"
import { Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql"
import { read, write } from "./registryOperation.ts"
import { makeRegistryStatements } from "./registryStatements.ts"

const refuse = (reason: RegistryReason) => Effect.fail(new RegistryError({ reason }))

const orRefuse =
  (reason: () => RegistryReason) =>
  <A, E, R>(effect: Effect.Effect<Option.Option<A>, E, R>) =>
    Effect.flatMap(effect, (found) => (Option.isSome(found) ? Effect.succeed(found.value) : refuse(reason())))

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const statements = makeRegistryStatements(sql)
  const transaction = sql.withTransaction
  const noModel = (model: string) => () => new ModelNotFound({ model })
  const noVersion = (model: string, version: number) => () =>
    new VersionNotFound({ model, version: String(version) })

  return RegistryStore.of({
    insertModel: (draft) =>
      statements.insertModel(draft).pipe(
        // Its only unique constraint is the name.
        Effect.catchReason("SqlError", "UniqueViolation", () =>
          refuse(new ModelExists({ model: draft.name })),
        ),
        write("insertModel"),
      ),
    findModel: (name) => read("findModel")(statements.findModel(name)),
    listModels: (filter, window) => read("listModels")(statements.listModels(filter, window)),
    updateModel: (name, change) =>
      statements.updateModel(name, change).pipe(orRefuse(noModel(name)), write("updateModel")),
    setConfig: (name, config) =>
      statements.setConfig(name, config).pipe(orRefuse(noModel(name)), write("setConfig")),
    deleteModel: (name) =>
      statements.deleteModel(name).pipe(
        Effect.flatMap((deleted) => (deleted ? Effect.void : refuse(noModel(name)()))),
        write("deleteModel"),
      ),

    insertVersion: Effect.fnUntraced(
      function* (draft) {
        const { model, digest, alias } = draft
        const take = draft.createModel ? statements.takeNumberOrCreateModel : statements.takeNumber
        const { version } = yield* orRefuse(noModel(model))(take(model))
        const same = yield* statements.findDigest(model, digest)
        if (Option.isSome(same)) {
          return yield* refuse(new DuplicateVersion({ model, digest, version: same.value }))
        }
        const inserted = yield* statements.insertVersion(draft, version)
        yield* statements.insertGraph(draft, version)
        if (draft.state === "ready" && alias !== null) yield* statements.pointAlias(model, alias, version)
        return inserted
      },
      transaction,
      write("insertVersion"),
    ),
    findVersion: (model, version) => read("findVersion")(statements.findVersion(model, version)),
    findDigest: (model, digest) => read("findDigest")(statements.findDigest(model, digest)),
    findGraph: (model, version) => read("findGraph")(statements.findGraph(model, version)),
    findReferred: (digests) => read("findReferred")(statements.findReferred(digests)),
    listVersions: (model, window) => read("listVersions")(statements.listVersions(model, window)),
    listValidating: read("listValidating")(statements.listValidating),
    settleVersion: Effect.fnUntraced(
      function* (model, version, verdict) {
        yield* statements.lockModel(model)
        const alias = yield* statements.settleVersion(model, version, verdict)
        if (Option.isSome(alias)) yield* statements.pointAlias(model, alias.value, version)
      },
      transaction,
      write("settleVersion"),
    ),
    describeVersion: (model, version, description) =>
      statements
        .describeVersion(model, version, description)
        .pipe(orRefuse(noVersion(model, version)), write("describeVersion")),
    deleteVersion: Effect.fnUntraced(
      function* (model, version) {
        yield* statements.lockModel(model)
        const aliases = yield* statements.aliasesOf(model, version)
        if (aliases.length > 0) return yield* refuse(VersionConflict.inUse(model, version, aliases))
        const deleted = yield* statements.deleteVersion(model, version)
        if (!deleted) return yield* refuse(noVersion(model, version)())
      },
      transaction,
      write("deleteVersion"),
    ),

    setAlias: Effect.fnUntraced(
      function* (model, alias, version) {
        if (!(yield* statements.lockModel(model))) return yield* refuse(noModel(model)())
        const state = yield* orRefuse(noVersion(model, version))(statements.stateOf(model, version))
        if (state !== "ready") {
          return yield* refuse(VersionConflict.notReady(model, version, alias, state))
        }
        yield* statements.pointAlias(model, alias, version)
      },
      transaction,
      write("setAlias"),
    ),
    deleteAlias: (model, alias) => write("deleteAlias")(statements.deleteAlias(model, alias)),

    listRoutes: read("listRoutes")(statements.listRoutes),
    findRoutes: (model) => read("findRoutes")(statements.findRoutes(model)),
  })
})

/** On a database that `layerMigrations` has brought up to date. */
export const layer: Layer.Layer<RegistryStore, never, SqlClient.SqlClient> = Layer.effect(RegistryStore, make)
