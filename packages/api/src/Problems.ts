/**
 * The failures that clients of `/v1` see: RFC 9457 problem details. Apart from the domain's errors on purpose:
 * whatever a class here declares is sent, so no cause, no SQL, no path.
 */
import { InputIssue, Role, Scope, SignatureChange } from "@modelforge/core/model"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as Schema from "effect/Schema"

/** One thing that is wrong with a request. */
const Errors = Schema.Array(InputIssue)

const urn = <const Name extends string>(name: Name) => `urn:modelforge:problem:${name}` as const

/** The body is not JSON, or a query parameter or header can't be read. */
export class BadRequestProblem extends HttpApiError.Problem<BadRequestProblem>()(
  "BadRequestProblem",
  { type: urn("bad-request"), status: 400, title: "The request can't be read" },
  { errors: Schema.optionalKey(Errors) },
) {}

/** The request was read, but members of it are not what they have to be. */
export class InvalidRequestProblem extends HttpApiError.Problem<InvalidRequestProblem>()(
  "InvalidRequestProblem",
  { type: urn("invalid-request"), status: 422, title: "The request is not valid" },
  { errors: Errors },
) {}

/** The inputs do not fit the signature of the version. */
export class InvalidInputsProblem extends HttpApiError.Problem<InvalidInputsProblem>()(
  "InvalidInputsProblem",
  { type: urn("invalid-inputs"), status: 422, title: "The inputs do not fit the model" },
  { model: Schema.String, errors: Errors },
) {}

/** The inputs fit the signature, but the model failed on them. */
export class RunFailedProblem extends HttpApiError.Problem<RunFailedProblem>()("RunFailedProblem", {
  type: urn("run-failed"),
  status: 422,
  title: "The model failed on these inputs",
}) {}

/** No key or token was sent, or one that is not valid. Which of the latter, nobody is told. */
export class UnauthorizedProblem extends HttpApiError.Problem<UnauthorizedProblem>()("UnauthorizedProblem", {
  type: urn("unauthorized"),
  status: 401,
  title: "The request says not who it is from",
}) {}

/** Which of the members is there says what is missing. */
export class ForbiddenProblem extends HttpApiError.Problem<ForbiddenProblem>()(
  "ForbiddenProblem",
  { type: urn("forbidden"), status: 403, title: "The request is not allowed" },
  {
    /** A key needs one of these. */
    scopes: Schema.optionalKey(Schema.Array(Scope)),
    /** A user needs this role at least. */
    role: Schema.optionalKey(Role),
    /** The key is not for this model. */
    model: Schema.optionalKey(Schema.String),
  },
) {}

/** One answer for all: no such user, another password, disabled. */
export class LoginRefusedProblem extends HttpApiError.Problem<LoginRefusedProblem>()("LoginRefusedProblem", {
  type: urn("login-refused"),
  status: 401,
  title: "The email address or the password is wrong",
}) {}

/** `Retry-After` says when another attempt is looked at. */
export class LockedOutProblem extends HttpApiError.Problem<LockedOutProblem>()("LockedOutProblem", {
  type: urn("locked-out"),
  status: 429,
  title: "Too many attempts to sign in failed",
}) {}

export class NotFoundProblem extends HttpApiError.Problem<NotFoundProblem>()("NotFoundProblem", {
  type: urn("not-found"),
  status: 404,
  title: "There is nothing at this path",
}) {}

export class ModelNotFoundProblem extends HttpApiError.Problem<ModelNotFoundProblem>()(
  "ModelNotFoundProblem",
  { type: urn("model-not-found"), status: 404, title: "Model not found" },
  { model: Schema.String },
) {}

export class VersionNotFoundProblem extends HttpApiError.Problem<VersionNotFoundProblem>()(
  "VersionNotFoundProblem",
  { type: urn("version-not-found"), status: 404, title: "Version not found" },
  { model: Schema.String, version: Schema.NullOr(Schema.String) },
) {}

/** The version was uploaded to a release that kept no graphs. */
export class GraphNotFoundProblem extends HttpApiError.Problem<GraphNotFoundProblem>()(
  "GraphNotFoundProblem",
  { type: urn("graph-not-found"), status: 404, title: "The version has no graph" },
  { model: Schema.String, version: Schema.Int },
) {}

export class AliasNotFoundProblem extends HttpApiError.Problem<AliasNotFoundProblem>()(
  "AliasNotFoundProblem",
  { type: urn("alias-not-found"), status: 404, title: "Alias not found" },
  { model: Schema.String, alias: Schema.String },
) {}

export class MethodNotAllowedProblem extends HttpApiError.Problem<MethodNotAllowedProblem>()(
  "MethodNotAllowedProblem",
  { type: urn("method-not-allowed"), status: 405, title: "The method is not supported at this path" },
) {}

export class ModelExistsProblem extends HttpApiError.Problem<ModelExistsProblem>()(
  "ModelExistsProblem",
  { type: urn("model-exists"), status: 409, title: "The model exists already" },
  { model: Schema.String },
) {}

/** `version` is the number under which the same bytes are there. */
export class DuplicateVersionProblem extends HttpApiError.Problem<DuplicateVersionProblem>()(
  "DuplicateVersionProblem",
  { type: urn("duplicate-version"), status: 409, title: "These bytes are a version already" },
  { model: Schema.String, version: Schema.Int, digest: Schema.String },
) {}

export class VersionConflictProblem extends HttpApiError.Problem<VersionConflictProblem>()(
  "VersionConflictProblem",
  { type: urn("version-conflict"), status: 409, title: "The version's state does not allow this" },
  { model: Schema.String, version: Schema.Int },
) {}

/** The alias was moved by others at the same time, or there is nothing to roll back to. */
export class AliasConflictProblem extends HttpApiError.Problem<AliasConflictProblem>()(
  "AliasConflictProblem",
  { type: urn("alias-conflict"), status: 409, title: "The alias can't be moved" },
  { model: Schema.String, alias: Schema.String },
) {}

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
) {}

export class TrafficNotFoundProblem extends HttpApiError.Problem<TrafficNotFoundProblem>()(
  "TrafficNotFoundProblem",
  { type: urn("traffic-not-found"), status: 404, title: "The model has no traffic policy" },
  { model: Schema.String },
) {}

/** The traffic policy in force does not allow this, or was changed by others at the same time. */
export class TrafficConflictProblem extends HttpApiError.Problem<TrafficConflictProblem>()(
  "TrafficConflictProblem",
  { type: urn("traffic-conflict"), status: 409, title: "The traffic policy does not allow this" },
  { model: Schema.String },
) {}

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
) {}

export class TooLargeProblem extends HttpApiError.Problem<TooLargeProblem>()(
  "TooLargeProblem",
  { type: urn("too-large"), status: 413, title: "The body is too large" },
  /** Bytes. */
  { limit: Schema.Int },
) {}

export class UnsupportedMediaTypeProblem extends HttpApiError.Problem<UnsupportedMediaTypeProblem>()(
  "UnsupportedMediaTypeProblem",
  { type: urn("unsupported-media-type"), status: 415, title: "The body's type or encoding is not supported" },
) {}

/** `code` is stable, for programs: `truncated`, `not-onnx`, `external-data`, `unsupported-type`, … */
export class UnusableModelProblem extends HttpApiError.Problem<UnusableModelProblem>()(
  "UnusableModelProblem",
  { type: urn("unusable-model"), status: 422, title: "The file is not a usable ONNX model" },
  { code: Schema.String },
) {}

export class DigestMismatchProblem extends HttpApiError.Problem<DigestMismatchProblem>()(
  "DigestMismatchProblem",
  { type: urn("digest-mismatch"), status: 400, title: "The bytes are not those announced" },
) {}

/** It was never begun at this server, was aborted, or waited for too long. */
export class UploadNotFoundProblem extends HttpApiError.Problem<UploadNotFoundProblem>()(
  "UploadNotFoundProblem",
  { type: urn("upload-not-found"), status: 404, title: "Upload not found" },
) {}

/** `offset` is where the upload goes on. */
export class OffsetMismatchProblem extends HttpApiError.Problem<OffsetMismatchProblem>()(
  "OffsetMismatchProblem",
  { type: urn("offset-mismatch"), status: 409, title: "The bytes do not continue the upload" },
  { offset: Schema.Int },
) {}

export class UploadLockedProblem extends HttpApiError.Problem<UploadLockedProblem>()("UploadLockedProblem", {
  type: urn("upload-locked"),
  status: 423,
  title: "Another request is at work on the upload",
}) {}

/** The status is that of the tus protocol. */
export class ChecksumMismatchProblem extends HttpApiError.Problem<ChecksumMismatchProblem>()(
  "ChecksumMismatchProblem",
  { type: urn("checksum-mismatch"), status: 460, title: "The bytes do not have the checksum sent with them" },
) {}

/** `Tus-Version` has the versions that are spoken. */
export class UnsupportedProtocolProblem extends HttpApiError.Problem<UnsupportedProtocolProblem>()(
  "UnsupportedProtocolProblem",
  { type: urn("unsupported-protocol"), status: 412, title: "The version of the protocol is not supported" },
) {}

/** The connection broke, or the form can't be read; what an upload that can be continued received before is kept. */
export class UploadInterruptedProblem extends HttpApiError.Problem<UploadInterruptedProblem>()(
  "UploadInterruptedProblem",
  { type: urn("upload-interrupted"), status: 400, title: "The upload ended early" },
) {}

export class InternalProblem extends HttpApiError.Problem<InternalProblem>()("InternalProblem", {
  type: urn("internal"),
  status: 500,
  title: "The server failed; the failure was logged",
}) {}

/** The request asks for a part of a protocol that is not served here. */
export class UnsupportedFeatureProblem extends HttpApiError.Problem<UnsupportedFeatureProblem>()(
  "UnsupportedFeatureProblem",
  { type: urn("unsupported-feature"), status: 501, title: "This is not supported" },
) {}

/** Trying again later may succeed. */
export class UnavailableProblem extends HttpApiError.Problem<UnavailableProblem>()("UnavailableProblem", {
  type: urn("unavailable"),
  status: 503,
  title: "Temporarily unavailable",
}) {}

export class KeyNotFoundProblem extends HttpApiError.Problem<KeyNotFoundProblem>()(
  "KeyNotFoundProblem",
  { type: urn("key-not-found"), status: 404, title: "Key not found" },
  { key: Schema.String },
) {}

export class KeyRevokedProblem extends HttpApiError.Problem<KeyRevokedProblem>()(
  "KeyRevokedProblem",
  { type: urn("key-revoked"), status: 409, title: "The key was revoked" },
  { key: Schema.String },
) {}

export class UserNotFoundProblem extends HttpApiError.Problem<UserNotFoundProblem>()(
  "UserNotFoundProblem",
  { type: urn("user-not-found"), status: 404, title: "User not found" },
  { user: Schema.String },
) {}

export class EmailTakenProblem extends HttpApiError.Problem<EmailTakenProblem>()(
  "EmailTakenProblem",
  { type: urn("email-taken"), status: 409, title: "The email address is another user's" },
  { email: Schema.String },
) {}

/** Without an admin, nobody could make users or keys any more. */
export class LastAdminProblem extends HttpApiError.Problem<LastAdminProblem>()(
  "LastAdminProblem",
  { type: urn("last-admin"), status: 409, title: "The user is the last admin" },
  { email: Schema.String },
) {}

export class PasswordRefusedProblem extends HttpApiError.Problem<PasswordRefusedProblem>()(
  "PasswordRefusedProblem",
  { type: urn("password-refused"), status: 422, title: "The password can't be taken" },
  { errors: Errors },
) {}

/** More is under way than may wait; `Retry-After` says when it is likely to be done. */
export class OverloadedProblem extends HttpApiError.Problem<OverloadedProblem>()("OverloadedProblem", {
  type: urn("overloaded"),
  status: 503,
  title: "Too much is under way",
}) {}

/** The request's own deadline, or the operator's limit for a run, was reached. */
export class DeadlineExceededProblem extends HttpApiError.Problem<DeadlineExceededProblem>()(
  "DeadlineExceededProblem",
  { type: urn("deadline-exceeded"), status: 504, title: "There was no answer in time" },
) {}

/** The caller has made as many requests as its limits allow; `Retry-After` says when the next may be made. */
export class RateLimitedProblem extends HttpApiError.Problem<RateLimitedProblem>()("RateLimitedProblem", {
  type: urn("rate-limited"),
  status: 429,
  title: "Too many requests",
}) {}

/** The body came too slowly, or not at all. */
export class RequestTimeoutProblem extends HttpApiError.Problem<RequestTimeoutProblem>()(
  "RequestTimeoutProblem",
  { type: urn("request-timeout"), status: 408, title: "The request took too long to arrive" },
) {}

export class UriTooLongProblem extends HttpApiError.Problem<UriTooLongProblem>()("UriTooLongProblem", {
  type: urn("uri-too-long"),
  status: 414,
  title: "The path and query are too long",
}) {}

export class MisdirectedProblem extends HttpApiError.Problem<MisdirectedProblem>()("MisdirectedProblem", {
  type: urn("misdirected"),
  status: 421,
  title: "The request is for another server",
}) {}

export class HeadersTooLargeProblem extends HttpApiError.Problem<HeadersTooLargeProblem>()(
  "HeadersTooLargeProblem",
  { type: urn("headers-too-large"), status: 431, title: "The request's headers are too large" },
) {}
