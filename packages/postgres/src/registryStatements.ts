/** Every statement of the registry. A row that does not decode fails with `SchemaError`. */
import {
  AliasName,
  Digest,
  Model,
  type ModelChange,
  type ModelConfig,
  type ModelDraft,
  type ModelFilter,
  type ModelName,
  Routes,
  type Verdict,
  Version,
  type VersionDraft,
  VersionNumber,
  VersionState,
  type Window,
} from "@modelforge/core"
import { Array, Effect, Option, Schema } from "effect"
import type { SqlClient, SqlError, Statement } from "effect/sql"

/** The driver gives dates for TIMESTAMPTZ, unlike the wire. */
const ModelRow = Schema.Struct({
  ...Model.fields,
  createdAt: Schema.DateTimeUtcFromDate,
  updatedAt: Schema.DateTimeUtcFromDate,
})
const VersionRow = Schema.Struct({ ...Version.fields, createdAt: Schema.DateTimeUtcFromDate })
const GraphRow = Schema.Struct({ graph: Schema.String })
const NumberRow = Schema.Struct({ version: VersionNumber })
const DigestRow = Schema.Struct({ digest: Digest })
const StateRow = Schema.Struct({ state: VersionState })
const AliasRow = Schema.Struct({ alias: AliasName })
const RequestedAliasRow = Schema.Struct({ alias: Schema.NullOr(AliasName) })

/** PostgreSQL's text holds every character but NUL. */
const text = (value: string) => value.replaceAll("\0", "\uFFFD")
const json = (value: unknown) => JSON.stringify(value)

/** Columns are named as the schemas name them, whatever name transforms the client of a host may have. */
const rows = <Row extends Schema.Constraint>(schema: Row) => {
  const decode = Schema.decodeUnknownEffect(Schema.Array(schema))
  return (
    statement: Statement.Statement<unknown & object>,
  ): Effect.Effect<
    ReadonlyArray<Row["Type"]>,
    SqlError.SqlError | Schema.SchemaError,
    Row["DecodingServices"]
  > => Effect.flatMap(statement.withoutTransform, decode)
}

/** The one row of an INSERT … RETURNING. */
const only = <A, E, R>(inserted: Effect.Effect<ReadonlyArray<A>, E, R>) =>
  Effect.flatMap(inserted, (all) => Effect.orDie(Effect.fromOption(Array.head(all))))

export const makeRegistryStatements = (sql: SqlClient.SqlClient) => {
  const modelColumns = sql`
    m.name, m.description, m.tags, m.labels, m.created_at AS "createdAt", m.updated_at AS "updatedAt",
    NULLIF(m.last_version, 0) AS "latestVersion",
    (SELECT COALESCE(json_object_agg(a.alias, a.version), '{}')
      FROM modelforge.aliases AS a WHERE a.model = m.name) AS aliases,
    m.config,
    CASE WHEN EXISTS (SELECT FROM modelforge.versions AS v WHERE v.model = m.name AND v.state = 'ready')
      THEN 'ready' ELSE 'empty' END AS state
  `
  // float8 holds every size exactly and reaches JavaScript as a number.
  const versionColumns = sql`
    v.model, v.version, v.digest, v.size::float8 AS size, v.state, v.reason, v.signature, v.summary,
    v.description, v.created_by AS "createdBy", v.created_at AS "createdAt"
  `
  const routeColumns = sql`
    m.name AS model,
    (SELECT COALESCE(json_object_agg(a.alias, a.version), '{}')
      FROM modelforge.aliases AS a WHERE a.model = m.name) AS aliases,
    m.config,
    (SELECT COALESCE(json_agg(json_build_object('version', v.version, 'digest', v.digest, 'size', v.size,
        'state', v.state,
        'reason', v.reason, 'signature', v.signature) ORDER BY v.version DESC), '[]')
      FROM modelforge.versions AS v WHERE v.model = m.name) AS versions
  `

  const models = (statement: Statement.Statement<object>) =>
    Effect.map(
      rows(ModelRow)(statement),
      Array.map((row) => new Model(row)),
    )
  const versions = (statement: Statement.Statement<object>) =>
    Effect.map(
      rows(VersionRow)(statement),
      Array.map((row) => new Version(row)),
    )

  return {
    insertModel: ({ name, description = "", tags = [], labels = {} }: ModelDraft) =>
      models(sql`
        INSERT INTO modelforge.models AS m (name, description, tags, labels)
        VALUES (${name}, ${text(description)}, ${tags.map(text)}, ${json(labels)})
        RETURNING ${modelColumns}
      `).pipe(only),

    findModel: (name: ModelName) =>
      models(sql`SELECT ${modelColumns} FROM modelforge.models AS m WHERE m.name = ${name}`).pipe(
        Effect.map(Array.head),
      ),

    listModels: ({ search, tag, state }: ModelFilter, { limit, after }: Window<ModelName>) => {
      const part = text(search ?? "")
      const given = { tag: tag === undefined ? null : text(tag), state: state ?? null, after: after ?? null }
      // The collation lower-cases every script, in whatever locale the database was made.
      return models(sql`
        SELECT * FROM (SELECT ${modelColumns} FROM modelforge.models AS m) AS model
        WHERE (${given.after}::text IS NULL OR name > ${given.after})
          AND (strpos(name, lower(${part}::text COLLATE "und-x-icu")) > 0
            OR strpos(lower(description COLLATE "und-x-icu"), lower(${part}::text COLLATE "und-x-icu")) > 0)
          AND (${given.tag}::text IS NULL OR ${given.tag} = ANY (tags))
          AND (${given.state}::text IS NULL OR state = ${given.state})
        ORDER BY name
        LIMIT ${limit}
      `)
    },

    updateModel: (name: ModelName, { description, tags, labels }: ModelChange) =>
      models(sql`
        UPDATE modelforge.models AS m SET
          description = COALESCE(${description === undefined ? null : text(description)}, m.description),
          tags = COALESCE(${tags === undefined ? null : tags.map(text)}::text[], m.tags),
          labels = COALESCE(${labels === undefined ? null : json(labels)}::json, m.labels),
          updated_at = clock_timestamp()
        WHERE m.name = ${name}
        RETURNING ${modelColumns}
      `).pipe(Effect.map(Array.head)),

    setConfig: (name: ModelName, config: ModelConfig) =>
      models(sql`
        UPDATE modelforge.models AS m SET config = ${json(config)}, updated_at = clock_timestamp()
        WHERE m.name = ${name}
        RETURNING ${modelColumns}
      `).pipe(Effect.map(Array.head)),

    deleteModel: (name: ModelName) =>
      Effect.map(
        sql`DELETE FROM modelforge.models WHERE name = ${name} RETURNING name`.withoutTransform,
        Array.isReadonlyArrayNonEmpty,
      ),

    /**
     * Changes of one model's versions and aliases happen one after another: each begins by locking the model, and what
     * it reads after that stays true until it commits. False when there is no such model.
     */
    lockModel: (name: ModelName) =>
      Effect.map(
        sql`SELECT name FROM modelforge.models WHERE name = ${name} FOR NO KEY UPDATE`.withoutTransform,
        Array.isReadonlyArrayNonEmpty,
      ),

    /** The number of the next version, with the model locked. */
    takeNumber: (name: ModelName) =>
      rows(NumberRow)(sql`
        UPDATE modelforge.models SET last_version = last_version + 1 WHERE name = ${name}
        RETURNING last_version AS version
      `).pipe(Effect.map(Array.head)),

    /** Same, and makes the model when there is none. */
    takeNumberOrCreateModel: (name: ModelName) =>
      rows(NumberRow)(sql`
        INSERT INTO modelforge.models AS m (name, description, tags, labels, last_version)
        VALUES (${name}, '', '{}', '{}', 1)
        ON CONFLICT (name) DO UPDATE SET last_version = m.last_version + 1
        RETURNING m.last_version AS version
      `).pipe(Effect.map(Array.head)),

    insertVersion: (draft: VersionDraft, version: VersionNumber) =>
      versions(sql`
        INSERT INTO modelforge.versions AS v
          (model, version, digest, size, state, signature, summary, description, created_by, requested_alias)
        VALUES (${draft.model}, ${version}, ${draft.digest}, ${draft.size}, ${draft.state}, ${json(draft.signature)},
          ${json(draft.summary)}, ${text(draft.description)},
          ${draft.createdBy === null ? null : text(draft.createdBy)}, ${draft.alias})
        RETURNING ${versionColumns}
      `).pipe(only),

    insertGraph: ({ model, graph }: VersionDraft, version: VersionNumber) =>
      sql`
        INSERT INTO modelforge.graphs (model, version, graph) VALUES (${model}, ${version}, ${graph})
      `.withoutTransform,

    /** As text: the driver would parse json, only for it to be written again. */
    findGraph: (model: ModelName, version: VersionNumber) =>
      rows(GraphRow)(sql`
        SELECT graph::text AS graph FROM modelforge.graphs WHERE model = ${model} AND version = ${version}
      `).pipe(Effect.map((found) => Option.map(Array.head(found), (row) => row.graph))),

    findVersion: (model: ModelName, version: VersionNumber) =>
      versions(sql`
        SELECT ${versionColumns} FROM modelforge.versions AS v WHERE v.model = ${model} AND v.version = ${version}
      `).pipe(Effect.map(Array.head)),

    findDigest: (model: ModelName, digest: Digest) =>
      rows(NumberRow)(sql`
        SELECT version FROM modelforge.versions WHERE model = ${model} AND digest = ${digest}
      `).pipe(Effect.map((found) => Option.map(Array.head(found), (row) => row.version))),

    findReferred: (digests: ReadonlyArray<Digest>) =>
      rows(DigestRow)(sql`
        SELECT DISTINCT digest FROM modelforge.versions WHERE digest = ANY (${digests}::text[])
      `).pipe(Effect.map((found) => new Set(found.map((row) => row.digest)))),

    listVersions: (model: ModelName, { limit, after }: Window<VersionNumber>) =>
      versions(sql`
        SELECT ${versionColumns} FROM modelforge.versions AS v
        WHERE v.model = ${model} AND (${after ?? null}::integer IS NULL OR v.version < ${after ?? null})
        ORDER BY v.version DESC
        LIMIT ${limit}
      `),

    listValidating: versions(sql`
      SELECT ${versionColumns} FROM modelforge.versions AS v
      WHERE v.state = 'validating'
      ORDER BY v.model, v.version
    `),

    /** The alias to set now, if any; none at all when the version was not validating. */
    settleVersion: (model: ModelName, version: VersionNumber, verdict: Verdict) =>
      rows(RequestedAliasRow)(sql`
        UPDATE modelforge.versions
        SET state = ${verdict.state}, reason = ${verdict.state === "invalid" ? text(verdict.reason) : null}
        WHERE model = ${model} AND version = ${version} AND state = 'validating'
        RETURNING CASE WHEN state = 'ready' THEN requested_alias END AS alias
      `).pipe(Effect.map((settled) => Option.flatMapNullishOr(Array.head(settled), (row) => row.alias))),

    describeVersion: (model: ModelName, version: VersionNumber, description: string) =>
      versions(sql`
        UPDATE modelforge.versions AS v SET description = ${text(description)}
        WHERE v.model = ${model} AND v.version = ${version}
        RETURNING ${versionColumns}
      `).pipe(Effect.map(Array.head)),

    stateOf: (model: ModelName, version: VersionNumber) =>
      rows(StateRow)(sql`
        SELECT state FROM modelforge.versions WHERE model = ${model} AND version = ${version}
      `).pipe(Effect.map((found) => Option.map(Array.head(found), (row) => row.state))),

    deleteVersion: (model: ModelName, version: VersionNumber) =>
      Effect.map(
        sql`
          DELETE FROM modelforge.versions WHERE model = ${model} AND version = ${version} RETURNING version
        `.withoutTransform,
        Array.isReadonlyArrayNonEmpty,
      ),

    aliasesOf: (model: ModelName, version: VersionNumber) =>
      rows(AliasRow)(sql`
        SELECT alias FROM modelforge.aliases WHERE model = ${model} AND version = ${version} ORDER BY alias
      `).pipe(Effect.map(Array.map((row) => row.alias))),

    pointAlias: (model: ModelName, alias: AliasName, version: VersionNumber) =>
      sql`
        INSERT INTO modelforge.aliases (model, alias, version) VALUES (${model}, ${alias}, ${version})
        ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version
      `.withoutTransform,

    deleteAlias: (model: ModelName, alias: AliasName) =>
      Effect.map(
        sql`
          DELETE FROM modelforge.aliases WHERE model = ${model} AND alias = ${alias} RETURNING alias
        `.withoutTransform,
        Array.isReadonlyArrayNonEmpty,
      ),

    listRoutes: rows(Routes)(sql`SELECT ${routeColumns} FROM modelforge.models AS m ORDER BY m.name`),

    findRoutes: (model: ModelName) =>
      rows(Routes)(sql`SELECT ${routeColumns} FROM modelforge.models AS m WHERE m.name = ${model}`).pipe(
        Effect.map(Array.head),
      ),
  }
}
