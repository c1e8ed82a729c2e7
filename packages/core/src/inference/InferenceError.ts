/** Failures of a prediction: one wrapper error, tagged reasons inside. */
import { Schema } from "effect"
import { InputIssue } from "../model/InputIssue.ts"
import { VersionState } from "../model/Version.ts"
import { ModelNotFound, VersionNotFound } from "../registry/RegistryError.ts"
import { runtimeReasons } from "./ModelRuntime.ts"

/** The version exists but is not ready: it is still validated, was found invalid, or was archived. */
export class VersionUnavailable extends Schema.TaggedError<VersionUnavailable>()("VersionUnavailable", {
  model: Schema.String,
  version: Schema.Int,
  state: VersionState,
  detail: Schema.NullOr(Schema.String),
}) {
  override get message() {
    const why = this.detail === null ? "" : `: ${this.detail}`
    return `Version ${this.version} of model "${this.model}" is not ready, it is ${this.state}${why}`
  }
}

/** The version was unloaded by hand on this server, and takes no requests until it is loaded again. */
export class VersionUnloaded extends Schema.TaggedError<VersionUnloaded>()("VersionUnloaded", {
  model: Schema.String,
  version: Schema.Int,
}) {
  override get message() {
    return `Version ${this.version} of model "${this.model}" was unloaded: load it again to use it`
  }
}

export class InvalidInputs extends Schema.TaggedError<InvalidInputs>()("InvalidInputs", {
  model: Schema.String,
  issues: Schema.NonEmptyArray(InputIssue),
}) {
  override get message() {
    return `The request does not fit the signature of model "${this.model}": ${this.issues
      .map((issue) => `${issue.path}: ${issue.message}`)
      .join("; ")}`
  }
}

/** The time that the request gave, or was given, was up before there was an answer. */
export class DeadlineExceeded extends Schema.TaggedError<DeadlineExceeded>()("DeadlineExceeded", {
  /** Milliseconds. */
  timeoutMs: Schema.Number,
}) {
  override get message() {
    return `There was no answer within the ${this.timeoutMs} ms that the request may take`
  }
}

/** More requests, or more bytes, are waiting than may wait. */
export class Overloaded extends Schema.TaggedError<Overloaded>()("Overloaded", {
  detail: Schema.String,
  /** When what waits now is likely to be done, by the rate of the last seconds. */
  retryAfterSeconds: Schema.Int,
}) {
  override get message() {
    return this.detail
  }
}

export class InferenceError extends Schema.TaggedError<InferenceError>()("InferenceError", {
  reason: Schema.Union([
    ModelNotFound,
    VersionNotFound,
    VersionUnavailable,
    VersionUnloaded,
    InvalidInputs,
    DeadlineExceeded,
    Overloaded,
    ...runtimeReasons,
  ]),
}) {
  override get message() {
    return this.reason.message
  }
}
