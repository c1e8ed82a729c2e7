/** One immutable version of a model: an artifact, what was read from it, and whether it can be served. */
import { Schema } from "effect"
import { ModelName } from "./Names.ts"
import { Signature } from "./Signature.ts"

/** 1, 2, 3, … in the order in which uploads were committed. */
export const VersionNumber = Schema.Int.check(
  Schema.isGreaterThanOrEqualTo(1),
  Schema.isLessThanOrEqualTo(2147483647),
).pipe(Schema.brand("VersionNumber"))
export type VersionNumber = typeof VersionNumber.Type

/** SHA-256 of an artifact's bytes, 64 lower-case hex digits. */
export const Digest = Schema.String.check(
  Schema.isPattern(/^[0-9a-f]{64}$/, { message: "a digest is a SHA-256 of 64 lower-case hex digits" }),
).pipe(Schema.brand("Digest"))
export type Digest = typeof Digest.Type

/** `validating → ready | invalid`, `ready → archived`. */
export const VersionState = Schema.Literals(["validating", "ready", "invalid", "archived"])
export type VersionState = typeof VersionState.Type

/** What the file says of itself, without its weights. */
export const ModelSummary = Schema.Struct({
  irVersion: Schema.Int,
  /** Operator-set versions by domain; the default domain is `ai.onnx`. */
  opsets: Schema.Record(Schema.String, Schema.Int),
  producer: Schema.String,
  /** Elements of all initializers. */
  parameters: Schema.Int,
  /** Nodes of all graphs, subgraphs included. */
  nodes: Schema.Int,
  /** How often each operator occurs. Operators outside `ai.onnx` carry their domain: `com.microsoft.Gelu`. */
  operators: Schema.Record(Schema.String, Schema.Int),
  metadata: Schema.Record(Schema.String, Schema.String),
  docString: Schema.String,
})
export type ModelSummary = typeof ModelSummary.Type

export class Version extends Schema.Class<Version>("@modelforge/core/Version")({
  model: ModelName,
  version: VersionNumber,
  digest: Digest,
  /** Bytes of the artifact. */
  size: Schema.Int,
  state: VersionState,
  /** Why the version is `invalid`; null otherwise. */
  reason: Schema.NullOr(Schema.String),
  signature: Signature,
  summary: ModelSummary,
  createdAt: Schema.DateTimeUtcFromString,
  /** Who uploaded it; null where the server was open. */
  createdBy: Schema.NullOr(Schema.String),
  description: Schema.String,
}) {}
