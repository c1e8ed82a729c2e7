/** What differs between two versions, as far as their files and records say. */
import { Schema } from "effect"
import { compareSignatures, SignatureChange } from "./compareSignatures.ts"
import { ModelName } from "./Names.ts"
import { Digest, type Version, VersionNumber } from "./Version.ts"

const ComparedVersion = Schema.Struct({ model: ModelName, version: VersionNumber, digest: Digest })

/** A fact of both versions, whether or not it differs. */
const both = <S extends Schema.Constraint>(fact: S) => Schema.Struct({ from: fact, to: fact })

/** A name whose value differs; null where there is none. */
const difference = <S extends Schema.Constraint>(value: S) =>
  Schema.Struct({ name: Schema.String, from: Schema.NullOr(value), to: Schema.NullOr(value) })

export const VersionComparison = Schema.Struct({
  from: ComparedVersion,
  to: ComparedVersion,
  /** No change of the signature breaks callers of `from`. */
  compatible: Schema.Boolean,
  signature: Schema.Array(SignatureChange),
  /** Operators that occur more or less often, with how often; by name. */
  operators: Schema.Array(difference(Schema.Int)),
  /** Operator sets of other versions, by domain. */
  opsets: Schema.Array(difference(Schema.Int)),
  /** Metadata with other values, by key. */
  metadata: Schema.Array(difference(Schema.String)),
  parameters: both(Schema.Int),
  nodes: both(Schema.Int),
  /** Bytes of the artifact. */
  size: both(Schema.Int),
  irVersion: both(Schema.Int),
  producer: both(Schema.String),
})
export type VersionComparison = typeof VersionComparison.Type

export const compareVersions = (from: Version, to: Version): VersionComparison => {
  const signature = compareSignatures(from.signature, to.signature)
  const summaries = <A>(of: (summary: Version["summary"]) => A) => ({
    from: of(from.summary),
    to: of(to.summary),
  })
  return {
    from: { model: from.model, version: from.version, digest: from.digest },
    to: { model: to.model, version: to.version, digest: to.digest },
    compatible: !signature.some(({ breaking }) => breaking),
    signature,
    operators: differences(from.summary.operators, to.summary.operators),
    opsets: differences(from.summary.opsets, to.summary.opsets),
    metadata: differences(from.summary.metadata, to.summary.metadata),
    parameters: summaries(({ parameters }) => parameters),
    nodes: summaries(({ nodes }) => nodes),
    size: { from: from.size, to: to.size },
    irVersion: summaries(({ irVersion }) => irVersion),
    producer: summaries(({ producer }) => producer),
  }
}

const differences = <A>(from: Readonly<Record<string, A>>, to: Readonly<Record<string, A>>) => {
  const of = (record: Readonly<Record<string, A>>, name: string): A | null =>
    Object.hasOwn(record, name) ? (record[name] ?? null) : null
  return [...new Set([...Object.keys(from), ...Object.keys(to)])]
    .sort()
    .map((name) => ({ name, from: of(from, name), to: of(to, name) }))
    .filter((entry) => entry.from !== entry.to)
}
