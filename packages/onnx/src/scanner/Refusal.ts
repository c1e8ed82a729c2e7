/** Every reason for which the scanner refuses a file. */
import { UnusableModel } from "@modelforge/core"

/**
 * Stable, for programs.
 * `not-onnx`: another kind of file. `lfs-pointer`: Git LFS left a note in place of the model.
 * `malformed`: no valid protobuf, or not what ONNX allows. `external-data`: tensors kept outside the file.
 * `compiled-model`: holds a program for one accelerator. `unknown-rank`: an input or output without shape.
 */
export type RefusalCode =
  | "empty"
  | "not-onnx"
  | "lfs-pointer"
  | "truncated"
  | "malformed"
  | "no-graph"
  | "no-outputs"
  | "duplicate-name"
  | "invalid-name"
  | "invalid-shape"
  | "unknown-rank"
  | "unsupported-type"
  | "external-data"
  | "compiled-model"
  | "custom-operator"
  | "limit-exceeded"

const maxDetail = 600

/** Thrown by the readers, which are plain code; `OnnxScanner` makes it a failure. */
export const refuse = (code: RefusalCode, detail: string): never => {
  throw new UnusableModel({
    code,
    detail: detail.length > maxDetail ? `${detail.slice(0, maxDetail - 1)}…` : detail,
  })
}

/** A name from a file, fit for a message: quoted, escaped and short. */
export const quote = (name: string): string =>
  JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name)
