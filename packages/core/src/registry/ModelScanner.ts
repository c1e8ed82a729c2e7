/** Reads what a model file says of itself while its bytes arrive, and refuses what is not safe to run. */
import { Context, type Effect, Schema } from "effect"
import type { ModelGraph } from "../model/ModelGraph.ts"
import type { Signature } from "../model/Signature.ts"
import type { ModelSummary } from "../model/Version.ts"

/** Why a file can't become a version. */
export class UnusableModel extends Schema.TaggedError<UnusableModel>()("UnusableModel", {
  /** Stable, for programs: `empty`, `truncated`, `not-onnx`, `external-data`, `no-outputs`, `unsupported-type`, … */
  code: Schema.String,
  /** For people: what was found, where, and what to do. */
  detail: Schema.String,
}) {
  override get message() {
    return this.detail
  }
}

export interface ScannedModel {
  readonly signature: Signature
  readonly summary: ModelSummary
  /** For viewers. */
  readonly graph: ModelGraph
}

/** The reading of one file. Holds its structure, never its weights. */
export interface ModelScan {
  /** Takes the next bytes, in order; fails as soon as the file is known to be unusable. */
  readonly push: (chunk: Uint8Array) => Effect.Effect<void, UnusableModel>
  /** Says that the file has ended. */
  readonly finish: Effect.Effect<ScannedModel, UnusableModel>
}

export class ModelScanner extends Context.Service<
  ModelScanner,
  {
    /** Begins the reading of a new file. */
    readonly start: Effect.Effect<ModelScan>
  }
>()("@modelforge/core/registry/ModelScanner") {}
