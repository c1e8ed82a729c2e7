/**
 * The failures that clients of `/v1` see: RFC 9457 problem details. Apart from the domain's errors on purpose:
 * whatever a class here declares is sent, so no cause, no SQL, no path. The `example` of each is what the API's
 * description shows.
 */
import { InputIssue, SignatureChange } from "@modelforge/core/model"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as Schema from "effect/Schema"
import { urn } from "./urn.ts"

/** One thing that is wrong with a request. */
const Errors = Schema.Array(InputIssue)

/** The body is not JSON, or a query parameter or header can't be read. */
export class BadRequestProblem extends HttpApiError.Problem<BadRequestProblem>()(
  "BadRequestProblem",
  { type: urn("bad-request"), status: 400, title: "The request can't be read" },
  { errors: Schema.optionalKey(Errors) },
) {
  static readonly example = { detail: "The body is not JSON" }
}

/** The request was read, but members of it are not what they have to be. */
export class InvalidRequestProblem extends HttpApiError.Problem<InvalidRequestProblem>()(
  "InvalidRequestProblem",
  { type: urn("invalid-request"), status: 422, title: "The request is not valid" },
  { errors: Errors },
) {
  static readonly example = {
    detail: "name: a model name starts with a letter or digit",
    errors: [{ path: "name", message: "a model name starts with a letter or digit" }],
  }
}

/** The inputs do not fit the signature of the version. */
export class InvalidInputsProblem extends HttpApiError.Problem<InvalidInputsProblem>()(
  "InvalidInputsProblem",
  { type: urn("invalid-inputs"), status: 422, title: "The inputs do not fit the model" },
  { model: Schema.String, errors: Errors },
) {
  static readonly example = {
    model: "wine",
    errors: [{ path: "inputs.features", message: "missing: expected FP32 [batch, 13]" }],
    detail: "inputs.features: missing: expected FP32 [batch, 13]",
  }
}

/** The inputs fit the signature, but the model failed on them. */
export class RunFailedProblem extends HttpApiError.Problem<RunFailedProblem>()("RunFailedProblem", {
  type: urn("run-failed"),
  status: 422,
  title: "The model failed on these inputs",
}) {
  static readonly example = { detail: "The model failed on these inputs: indices out of range" }
}

export class NotFoundProblem extends HttpApiError.Problem<NotFoundProblem>()("NotFoundProblem", {
  type: urn("not-found"),
  status: 404,
  title: "There is nothing at this path",
}) {
  static readonly example = { detail: "There is nothing at this path. The API is described at /docs" }
}

export class ModelNotFoundProblem extends HttpApiError.Problem<ModelNotFoundProblem>()(
  "ModelNotFoundProblem",
  { type: urn("model-not-found"), status: 404, title: "Model not found" },
  { model: Schema.String },
) {
  static readonly example = { model: "nose", detail: 'There is no model "nose"' }
}

export class VersionNotFoundProblem extends HttpApiError.Problem<VersionNotFoundProblem>()(
  "VersionNotFoundProblem",
  { type: urn("version-not-found"), status: 404, title: "Version not found" },
  { model: Schema.String, version: Schema.NullOr(Schema.String) },
) {
  static readonly example = { model: "wine", version: "9", detail: 'Model "wine" has no version "9"' }
}

/** The version was uploaded to a release that kept no graphs. */
export class GraphNotFoundProblem extends HttpApiError.Problem<GraphNotFoundProblem>()(
  "GraphNotFoundProblem",
  { type: urn("graph-not-found"), status: 404, title: "The version has no graph" },
  { model: Schema.String, version: Schema.Int },
) {
  static readonly example = {
    model: "wine",
    version: 1,
    detail: 'Version 1 of model "wine" was uploaded before graphs were kept',
  }
}

export class AliasNotFoundProblem extends HttpApiError.Problem<AliasNotFoundProblem>()(
  "AliasNotFoundProblem",
  { type: urn("alias-not-found"), status: 404, title: "Alias not found" },
  { model: Schema.String, alias: Schema.String },
) {
  static readonly example = { model: "wine", alias: "canary", detail: 'Model "wine" has no alias "canary"' }
}

export class MethodNotAllowedProblem extends HttpApiError.Problem<MethodNotAllowedProblem>()(
  "MethodNotAllowedProblem",
  { type: urn("method-not-allowed"), status: 405, title: "The method is not supported at this path" },
) {
  static readonly example = { detail: "PUT is not supported here: use GET, HEAD" }
}

export class ModelExistsProblem extends HttpApiError.Problem<ModelExistsProblem>()(
  "ModelExistsProblem",
  { type: urn("model-exists"), status: 409, title: "The model exists already" },
  { model: Schema.String },
) {
  static readonly example = { model: "wine", detail: 'There is a model "wine" already' }
}

/** `version` is the number under which the same bytes are there. */
export class DuplicateVersionProblem extends HttpApiError.Problem<DuplicateVersionProblem>()(
  "DuplicateVersionProblem",
  { type: urn("duplicate-version"), status: 409, title: "These bytes are a version already" },
  { model: Schema.String, version: Schema.Int, digest: Schema.String },
) {
  static readonly example = {
    model: "wine",
    version: 1,
    digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    detail: 'These bytes are version 1 of model "wine" already',
  }
}

export class VersionConflictProblem extends HttpApiError.Problem<VersionConflictProblem>()(
  "VersionConflictProblem",
  { type: urn("version-conflict"), status: 409, title: "The version's state does not allow this" },
  { model: Schema.String, version: Schema.Int },
) {
  static readonly example = {
    model: "wine",
    version: 1,
    detail: 'Version 1 of model "wine" is in use: move or delete its aliases first ("production")',
  }
}

/** The alias was moved by others at the same time, or there is nothing to roll back to. */
export class AliasConflictProblem extends HttpApiError.Problem<AliasConflictProblem>()(
  "AliasConflictProblem",
  { type: urn("alias-conflict"), status: 409, title: "The alias can't be moved" },
  { model: Schema.String, alias: Schema.String },
) {
  static readonly example = {
    model: "wine",
    alias: "production",
    detail:
      'The alias "production" of model "wine" can\'t be rolled back: none of its versions is ready any more',
  }
}

/** `from` is the version that the alias points at, `to` the one it would; null for a file that is none yet. */
export class IncompatibleSignatureProblem extends HttpApiError.Problem<IncompatibleSignatureProblem>()(
  "IncompatibleSignatureProblem",
  { type: urn("incompatible-signature"), status: 409, title: "Callers of the alias may fail" },
  {
    model: Schema.String,
    alias: Schema.String,
    from: Schema.Int,
    to: Schema.NullOr(Schema.Int),
    differences: Schema.Array(SignatureChange),
  },
) {
  static readonly example = {
    model: "wine",
    alias: "production",
    from: 1,
    to: 2,
    differences: [],
    detail:
      'The alias "production" of model "wine" points at version 1, whose callers may fail with version 2',
  }
}

export class TrafficNotFoundProblem extends HttpApiError.Problem<TrafficNotFoundProblem>()(
  "TrafficNotFoundProblem",
  { type: urn("traffic-not-found"), status: 404, title: "The model has no traffic policy" },
  { model: Schema.String },
) {
  static readonly example = { model: "wine", detail: 'Model "wine" has no traffic policy' }
}

/** The traffic policy in force does not allow this, or was changed by others at the same time. */
export class TrafficConflictProblem extends HttpApiError.Problem<TrafficConflictProblem>()(
  "TrafficConflictProblem",
  { type: urn("traffic-conflict"), status: 409, title: "The traffic policy does not allow this" },
  { model: Schema.String },
) {
  static readonly example = {
    model: "wine",
    detail: 'The alias "canary" of model "wine" is in use: take it out of the traffic policy first',
  }
}

/** `from` is the version that requests went to, `to` one that they would be spread to as well. */
export class IncompatibleSplitProblem extends HttpApiError.Problem<IncompatibleSplitProblem>()(
  "IncompatibleSplitProblem",
  { type: urn("incompatible-split"), status: 409, title: "Callers of the model may fail" },
  {
    model: Schema.String,
    from: Schema.Int,
    to: Schema.Int,
    differences: Schema.Array(SignatureChange),
  },
) {
  static readonly example = {
    model: "wine",
    from: 1,
    to: 2,
    differences: [],
    detail: 'Callers of version 1 of model "wine" may fail with version 2',
  }
}

/** `etag` is that of what is there; null when it is not. */
export class PreconditionFailedProblem extends HttpApiError.Problem<PreconditionFailedProblem>()(
  "PreconditionFailedProblem",
  { type: urn("precondition-failed"), status: 412, title: "It is not what the request says it is" },
  { etag: Schema.NullOr(Schema.String) },
) {
  static readonly example = {
    etag: '"8X2bZ0n1s7m3QYw5c9dKfA"',
    detail:
      'The model "wine" was changed since it was read: read it again, and repeat the change on what it is now',
  }
}

export class TooLargeProblem extends HttpApiError.Problem<TooLargeProblem>()(
  "TooLargeProblem",
  { type: urn("too-large"), status: 413, title: "The body is too large" },
  /** Bytes. */
  { limit: Schema.Int },
) {
  static readonly example = {
    limit: 1_048_576,
    detail: "The body is larger than the 1048576 bytes taken here",
  }
}

export class UnsupportedMediaTypeProblem extends HttpApiError.Problem<UnsupportedMediaTypeProblem>()(
  "UnsupportedMediaTypeProblem",
  { type: urn("unsupported-media-type"), status: 415, title: "The body's type or encoding is not supported" },
) {
  static readonly example = {
    detail: 'The content type is not supported: send "content-type: application/json"',
  }
}

export class InternalProblem extends HttpApiError.Problem<InternalProblem>()("InternalProblem", {
  type: urn("internal"),
  status: 500,
  title: "The server failed; the failure was logged",
}) {
  static readonly example = {}
}

/** The request asks for a part of a protocol that is not served here. */
export class UnsupportedFeatureProblem extends HttpApiError.Problem<UnsupportedFeatureProblem>()(
  "UnsupportedFeatureProblem",
  { type: urn("unsupported-feature"), status: 501, title: "This is not supported" },
) {
  static readonly example = { detail: "Sequences are not served here" }
}

/** Trying again later may succeed. */
export class UnavailableProblem extends HttpApiError.Problem<UnavailableProblem>()("UnavailableProblem", {
  type: urn("unavailable"),
  status: 503,
  title: "Temporarily unavailable",
}) {
  static readonly example = { detail: "The server could not do this right now. Try again in a moment." }
}

/** More is under way than may wait; `Retry-After` says when it is likely to be done. */
export class OverloadedProblem extends HttpApiError.Problem<OverloadedProblem>()("OverloadedProblem", {
  type: urn("overloaded"),
  status: 503,
  title: "Too much is under way",
}) {
  static readonly example = { detail: "1024 predictions of this model are under way" }
}

/** The request's own deadline, or the operator's limit for a run, was reached. */
export class DeadlineExceededProblem extends HttpApiError.Problem<DeadlineExceededProblem>()(
  "DeadlineExceededProblem",
  { type: urn("deadline-exceeded"), status: 504, title: "There was no answer in time" },
) {
  static readonly example = { detail: "There was no answer within 30000 ms" }
}
