/** What clients see whose uploads do not arrive whole, can't go on, or are no models. */
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as Schema from "effect/Schema"
import { urn } from "./urn.ts"

/** `code` is stable, for programs: `truncated`, `not-onnx`, `external-data`, `unsupported-type`, … */
export class UnusableModelProblem extends HttpApiError.Problem<UnusableModelProblem>()(
  "UnusableModelProblem",
  { type: urn("unusable-model"), status: 422, title: "The file is not a usable ONNX model" },
  { code: Schema.String },
) {
  static readonly example = { code: "not-onnx", detail: "The file is not an ONNX model" }
}

export class DigestMismatchProblem extends HttpApiError.Problem<DigestMismatchProblem>()(
  "DigestMismatchProblem",
  { type: urn("digest-mismatch"), status: 400, title: "The bytes are not those announced" },
) {
  static readonly example = {
    detail: "The bytes received have another SHA-256 than the announced one: send the file again",
  }
}

/** It was never begun at this server, was aborted, or waited for too long. */
export class UploadNotFoundProblem extends HttpApiError.Problem<UploadNotFoundProblem>()(
  "UploadNotFoundProblem",
  { type: urn("upload-not-found"), status: 404, title: "Upload not found" },
) {
  static readonly example = {
    detail: "There is no such upload here: it was never begun, was aborted, or waited for too long",
  }
}

/** `offset` is where the upload goes on. */
export class OffsetMismatchProblem extends HttpApiError.Problem<OffsetMismatchProblem>()(
  "OffsetMismatchProblem",
  { type: urn("offset-mismatch"), status: 409, title: "The bytes do not continue the upload" },
  { offset: Schema.Int },
) {
  static readonly example = { offset: 1024, detail: "The upload goes on at byte 1024" }
}

export class UploadLockedProblem extends HttpApiError.Problem<UploadLockedProblem>()("UploadLockedProblem", {
  type: urn("upload-locked"),
  status: 423,
  title: "Another request is at work on the upload",
}) {
  static readonly example = { detail: "Another request is at work on this upload" }
}

/** The status is that of the tus protocol. */
export class ChecksumMismatchProblem extends HttpApiError.Problem<ChecksumMismatchProblem>()(
  "ChecksumMismatchProblem",
  { type: urn("checksum-mismatch"), status: 460, title: "The bytes do not have the checksum sent with them" },
) {
  static readonly example = {
    detail: "The bytes do not have the checksum that was sent with them: send them again",
  }
}

/** `Tus-Version` has the versions that are spoken. */
export class UnsupportedProtocolProblem extends HttpApiError.Problem<UnsupportedProtocolProblem>()(
  "UnsupportedProtocolProblem",
  { type: urn("unsupported-protocol"), status: 412, title: "The version of the protocol is not supported" },
) {
  static readonly example = { detail: 'Send "tus-resumable: 1.0.0"' }
}

/** The connection broke, or the form can't be read; what an upload that can be continued received before is kept. */
export class UploadInterruptedProblem extends HttpApiError.Problem<UploadInterruptedProblem>()(
  "UploadInterruptedProblem",
  { type: urn("upload-interrupted"), status: 400, title: "The upload ended early" },
) {
  static readonly example = { detail: "The upload ended before the file was complete: the connection broke" }
}
