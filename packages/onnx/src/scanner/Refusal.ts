/** Every reason for which the scanner refuses a file. */
import { UnusableModel } from "@modelforge/core"

/**
 * Stable, for programs.
 * `not-onnx`: another kind of file. `lfs-pointer`: Git LFS left a note in place of the model.
 * `malformed`: no valid protobuf, or not what ONNX allows. `external-data`: tensors kept outside the file.
 * `compiled-model`: holds a program for one accelerator. `session-options`: settings of the runtime in the metadata.
 * `unknown-rank`: an input or output without shape.
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
  | "session-options"
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

/** The same, with everything but plain letters written out, for names whose point is what can't be seen. */
export const escaped = (name: string): string =>
  quote(name).replace(/[^\x20-\x7e]/gu, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16)
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`
  })
