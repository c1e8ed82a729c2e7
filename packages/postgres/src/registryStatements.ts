/** Every statement of models, versions and routes. */
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
  Traffic,
  TrafficPolicy,
  type Verdict,
  Version,
  type VersionDraft,
  VersionNumber,
  VersionState,
  type VersionWindow,
  type Window,
} from "@modelforge/core"
import { Array, DateTime, Effect, Option, Schema } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { json, only, rows, text, textOrNull } from "./rows.ts"

const TrafficRow = Schema.NullOr(
  Schema.Struct({
    policy: TrafficPolicy,
    revision: Traffic.fields.revision,
    updatedAt: Traffic.fields.updatedAt,
    updatedBy: Traffic.fields.updatedBy,
  }),
)

const withTraffic = <Row extends { readonly traffic: typeof TrafficRow.Type }>(row: Row) => {
  if (row.traffic === null) return { ...row, traffic: null }
  const { policy, ...rest } = row.traffic
  return { ...row, traffic: { ...policy, ...rest } }
}

/** The driver gives dates for TIMESTAMPTZ, unlike the wire. */
const ModelRow = Schema.Struct({
  ...Model.fields,
  traffic: TrafficRow,
  createdAt: Schema.DateTimeUtcFromDate,
  updatedAt: Schema.DateTimeUtcFromDate,
})
const RoutesRow = Schema.Struct({ ...Routes.fields, traffic: TrafficRow })
const VersionRow = Schema.Struct({ ...Version.fields, createdAt: Schema.DateTimeUtcFromDate })
const GraphRow = Schema.Struct({ graph: Schema.String })
const NumberRow = Schema.Struct({ version: VersionNumber })
const DigestRow = Schema.Struct({ digest: Digest })
const StateRow = Schema.Struct({ state: VersionState })
const NumberTakenRow = Schema.Struct({ version: VersionNumber, created: Schema.Boolean })
const SettledRow = Schema.Struct({
  alias: Schema.NullOr(AliasName),
  forced: Schema.Boolean,
  createdBy: Schema.NullOr(Schema.String),
})

/** Each label as `key:value`, for searching. */
const pairs = (labels: Readonly<Record<string, string>>) =>
  Object.entries(labels).map(([key, value]) => text(`${key}:${value}`))

export const makeRegistryStatements = (sql: SqlClient.SqlClient) => {
  // The newest change, unless it was a removal.
  const traffic = sql`
    (SELECT CASE WHEN t.policy IS NULL THEN NULL ELSE json_build_object('policy', t.policy, 'revision', t.revision,
        'updatedAt', t.at, 'updatedBy', t.by) END
      FROM modelforge.traffic_changes AS t WHERE t.model = m.name ORDER BY t.revision DESC LIMIT 1) AS traffic
  `
  const modelColumns = sql`
    m.name, m.description, m.tags, m.labels, m.created_at AS "createdAt", m.updated_at AS "updatedAt",
    NULLIF(m.last_version, 0) AS "latestVersion",
    (SELECT COALESCE(json_object_agg(a.alias, a.version), '{}')
      FROM modelforge.aliases AS a WHERE a.model = m.name) AS aliases,
    ${traffic},
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
    ${traffic},
    m.config,
    (SELECT COALESCE(json_agg(json_build_object('version', v.version, 'digest', v.digest, 'size', v.size,
        'state', v.state,
        'reason', v.reason, 'signature', v.signature) ORDER BY v.version DESC), '[]')
      FROM modelforge.versions AS v WHERE v.model = m.name) AS versions
  `

  const models = (statement: Statement.Statement<object>) =>
    Effect.map(
      rows(ModelRow)(statement),
      Array.map((row) => new Model(withTraffic(row))),
    )
  const versions = (statement: Statement.Statement<object>) =>
    Effect.map(
      rows(VersionRow)(statement),
      Array.map((row) => new Version(row)),
    )
  const routes = (statement: Statement.Statement<object>) =>
    Effect.map(
      rows(RoutesRow)(statement),
      Array.map((row) => new Routes(withTraffic(row))),
    )

  return {
    insertModel: ({ name, description = "", tags = [], labels = {} }: ModelDraft) =>
      models(sql`
        INSERT INTO modelforge.models AS m (name, description, tags, labels, label_pairs)
        VALUES (${name}, ${text(description)}, ${tags.map(text)}, ${json(labels)}, ${pairs(labels)})
        RETURNING ${modelColumns}
      `).pipe(only),

    findModel: (name: ModelName) =>
      models(sql`SELECT ${modelColumns} FROM modelforge.models AS m WHERE m.name = ${name}`).pipe(
        Effect.map(Array.head),
      ),

    listModels: ({ search, tag, label, state, among }: ModelFilter, { limit, after }: Window<ModelName>) => {
      const part = text(search ?? "")
      const given = {
        tag: textOrNull(tag),
        label: textOrNull(label),
        state: state ?? null,
        among: among ?? null,
        after: after ?? null,
      }
      // The collation lower-cases every script, in whatever locale the database was made.
      return models(sql`
        SELECT * FROM (SELECT ${modelColumns}, m.label_pairs FROM modelforge.models AS m) AS model
        WHERE (${given.after}::text IS NULL OR name > ${given.after})
          AND (strpos(name, lower(${part}::text COLLATE "und-x-icu")) > 0
            OR strpos(lower(description COLLATE "und-x-icu"), lower(${part}::text COLLATE "und-x-icu")) > 0)
          AND (${given.tag}::text IS NULL OR ${given.tag} = ANY (tags))
          AND (${given.label}::text IS NULL OR ${given.label} = ANY (label_pairs))
          AND (${given.state}::text IS NULL OR state = ${given.state})
          AND (${given.among}::text[] IS NULL OR name = ANY (${given.among}::text[]))
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
          label_pairs = COALESCE(${labels === undefined ? null : pairs(labels)}::text[], m.label_pairs),
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
      rows(NumberTakenRow)(sql`
        UPDATE modelforge.models SET last_version = last_version + 1 WHERE name = ${name}
        RETURNING last_version AS version, false AS created
      `).pipe(Effect.map(Array.head)),

    /** Same, and makes the model when there is none: a row that no transaction has updated is new. */
    takeNumberOrCreateModel: (name: ModelName) =>
      rows(NumberTakenRow)(sql`
        INSERT INTO modelforge.models AS m (name, description, tags, labels, last_version)
        VALUES (${name}, '', '{}', '{}', 1)
        ON CONFLICT (name) DO UPDATE SET last_version = m.last_version + 1
        RETURNING m.last_version AS version, m.xmax = 0 AS created
      `).pipe(Effect.map(Array.head)),

    insertVersion: (draft: VersionDraft, version: VersionNumber) =>
      versions(sql`
        INSERT INTO modelforge.versions AS v
          (model, version, digest, size, state, signature, summary, description, created_by, requested_alias,
            alias_forced)
        VALUES (${draft.model}, ${version}, ${draft.digest}, ${draft.size}, ${draft.state}, ${json(draft.signature)},
          ${json(draft.summary)}, ${text(draft.description)},
          ${textOrNull(draft.createdBy)}, ${draft.alias}, ${draft.force})
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

    findReferred: (digests: ReadonlyArray<Digest>, since: DateTime.Utc) =>
      rows(DigestRow)(sql`
        SELECT digest FROM modelforge.versions WHERE digest = ANY (${digests}::text[])
        UNION
        SELECT digest FROM modelforge.released_digests
        WHERE digest = ANY (${digests}::text[]) AND at >= ${DateTime.toDateUtc(since)}
      `).pipe(Effect.map((found) => new Set(found.map((row) => row.digest)))),

    forgetReferred: (before: DateTime.Utc) =>
      sql`DELETE FROM modelforge.released_digests WHERE at < ${DateTime.toDateUtc(before)}`.withoutTransform,

    listVersions: (model: ModelName, { limit, after, state }: VersionWindow) =>
      versions(sql`
        SELECT ${versionColumns} FROM modelforge.versions AS v
        WHERE v.model = ${model} AND (${after ?? null}::integer IS NULL OR v.version < ${after ?? null})
          AND (${state ?? null}::text IS NULL OR v.state = ${state ?? null})
        ORDER BY v.version DESC
        LIMIT ${limit}
      `),

    listValidating: versions(sql`
      SELECT ${versionColumns} FROM modelforge.versions AS v
      WHERE v.state = 'validating'
      ORDER BY v.model, v.version
    `),

    /** The alias to set now, if any, and who uploaded it; none at all when the version was not validating. */
    settleVersion: (model: ModelName, version: VersionNumber, verdict: Verdict) =>
      rows(SettledRow)(sql`
        UPDATE modelforge.versions
        SET state = ${verdict.state}, reason = ${verdict.state === "invalid" ? text(verdict.reason) : null}
        WHERE model = ${model} AND version = ${version} AND state = 'validating'
        RETURNING CASE WHEN state = 'ready' THEN requested_alias END AS alias, alias_forced AS forced,
          created_by AS "createdBy"
      `).pipe(Effect.map(Array.head)),

    setState: (model: ModelName, version: VersionNumber, state: VersionState) =>
      versions(sql`
        UPDATE modelforge.versions AS v SET state = ${state}
        WHERE v.model = ${model} AND v.version = ${version}
        RETURNING ${versionColumns}
      `).pipe(only),

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
      sql`DELETE FROM modelforge.versions WHERE model = ${model} AND version = ${version}`.withoutTransform,

    listRoutes: routes(sql`SELECT ${routeColumns} FROM modelforge.models AS m ORDER BY m.name`),

    findRoutes: (model: ModelName) =>
      routes(sql`SELECT ${routeColumns} FROM modelforge.models AS m WHERE m.name = ${model}`).pipe(
        Effect.map(Array.head),
      ),
  }
}
