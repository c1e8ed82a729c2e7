/**
 * What the operations on models, versions, aliases and traffic policies share: the statements, and the two logs that every
 * change goes to.
 */
import {
  type ChangeDetails,
  draftFrom,
  type Model,
  type ModelName,
  ModelNotFound,
  Origin,
  type RegistryChange,
  RegistryError,
  type RegistryReason,
  registryEntry,
  VersionNotFound,
  type VersionNumber,
} from "@modelforge/core"
import { Effect, Option } from "effect"
import type { SqlClient } from "effect/sql"
import { makeAliasStatements } from "../aliasStatements.ts"
import { addPending, makeAuditStatements } from "../auditStatements.ts"
import { makeEventStatements } from "../eventStatements.ts"
import { makeRegistryStatements } from "../registryStatements.ts"
import { makeTrafficStatements } from "../trafficStatements.ts"

export const refuse = (reason: RegistryReason) => Effect.fail(new RegistryError({ reason }))

export const orRefuse =
  (reason: () => RegistryReason) =>
  <A, E, R>(effect: Effect.Effect<Option.Option<A>, E, R>) =>
    Effect.flatMap(effect, (found) => (Option.isSome(found) ? Effect.succeed(found.value) : refuse(reason())))

export const noModel = (model: ModelName) => () => new ModelNotFound({ model })

export const noVersion = (model: ModelName, version: VersionNumber) => () =>
  new VersionNotFound({ model, version: String(version) })

/** What people say of a model. */
export const about = ({ description, tags, labels }: Pick<Model, "description" | "tags" | "labels">) => ({
  description,
  tags,
  labels,
})

export const makePostgresRegistry = (sql: SqlClient.SqlClient) => {
  const statements = makeRegistryStatements(sql)
  const { append } = makeEventStatements(sql)
  return {
    statements,
    aliases: makeAliasStatements(sql),
    traffic: makeTrafficStatements(sql),
    transaction: makeAuditStatements(sql).transaction,

    findModel: (name: ModelName) => orRefuse(noModel(name))(statements.findModel(name)),

    findVersion: (model: ModelName, version: VersionNumber) =>
      orRefuse(noVersion(model, version))(statements.findVersion(model, version)),

    stateOf: (model: ModelName, version: VersionNumber) =>
      orRefuse(noVersion(model, version))(statements.stateOf(model, version)),

    /** One change, in the log of events and in the audit log. */
    record: Effect.fnUntraced(function* (
      model: ModelName,
      by: string | null,
      change: RegistryChange,
      details?: ChangeDetails,
    ) {
      yield* append(model, by, change)
      yield* addPending(draftFrom(by, yield* Origin, registryEntry(model, change, details)))
    }),
  }
}

export type PostgresRegistry = ReturnType<typeof makePostgresRegistry>
