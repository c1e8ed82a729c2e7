/** What the promise API rejects with: an error with a code, and a message for people. */
import { InferenceError, type InputIssue, RegistryError } from "@modelforge/core"
import { Predicate } from "effect"

export class ModelForgeError extends Error {
  override readonly name = "ModelForgeError"
  /** Stable, for programs: `model-not-found`, `invalid-inputs`, `unusable-model`, … */
  readonly code: string
  /** What is wrong with the inputs, one entry each; empty for other failures. */
  readonly issues: ReadonlyArray<InputIssue>

  constructor(code: string, message: string, issues: ReadonlyArray<InputIssue> = [], cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.issues = issues
  }
}

/** `ModelNotFound` is `model-not-found`. */
const codeOf = (tag: string) => tag.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase()

/** Anything that the engine fails with, as the error that is thrown. */
export const toModelForgeError = (error: unknown): unknown => {
  if (error instanceof InferenceError || error instanceof RegistryError) {
    const { reason } = error
    return new ModelForgeError(
      codeOf(reason._tag),
      reason.message,
      reason._tag === "InvalidInputs" ? reason.issues : [],
      error,
    )
  }
  if (error instanceof Error && "reason" in error && Predicate.hasProperty(error.reason, "_tag"))
    return new ModelForgeError(codeOf(String(error.reason._tag)), error.message, [], error)
  return error
}
