/** Uploads that can be continued: the tus protocol 1.0 with creation, expiration, termination and checksum. */
import {
  AliasName,
  Description,
  Digest,
  ModelName,
  UploadId,
  UploadState,
  VersionNumber,
} from "@modelforge/core/model"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { IdempotentRequests, idempotencyHeaders, Repetition } from "./IdempotentRequests.ts"
import { Permitted } from "./Permitted.ts"
import {
  BadRequestProblem,
  DuplicateVersionProblem,
  IncompatibleSignatureProblem,
  ModelNotFoundProblem,
  OverloadedProblem,
  TooLargeProblem,
  UnavailableProblem,
  UnsupportedMediaTypeProblem,
  VersionNotFoundProblem,
} from "./Problems.ts"
import { RequestTimeoutProblem } from "./ProtectionProblems.ts"
import {
  ChecksumMismatchProblem,
  DigestMismatchProblem,
  OffsetMismatchProblem,
  UnsupportedProtocolProblem,
  UnusableModelProblem,
  UploadInterruptedProblem,
  UploadLockedProblem,
  UploadNotFoundProblem,
} from "./UploadProblems.ts"
import { VersionResource } from "./VersionsApi.ts"

/** What is sent, so that a chunk of an upload is not taken for a file. */
export const uploadPieceType = "application/offset+octet-stream"

/** An unfinished upload, or how it ended. */
export const UploadResource = Schema.Struct({
  id: UploadId,
  model: ModelName,
  /** Bytes of the whole file. */
  size: Schema.Int,
  /** Bytes that are kept, whatever happens to the server. */
  offset: Schema.Int,
  state: UploadState,
  /** When it is forgotten, unless it goes on before. */
  expiresAt: Schema.DateTimeUtcFromString,
  /** What it became, when it is `finished`. */
  version: Schema.NullOr(VersionNumber),
  /** Why it became nothing, when it is `refused`: the problem that the last request was answered with. */
  problem: Schema.NullOr(
    Schema.Struct({
      type: Schema.String,
      status: Schema.Int,
      title: Schema.String,
      detail: Schema.String,
      code: Schema.optionalKey(Schema.String),
    }),
  ),
})
export type UploadResource = typeof UploadResource.Type

const collection = { model: Schema.String }
const member = { model: Schema.String, upload: Schema.String }

/** Whole numbers as headers write them. */
const Bytes = Schema.String.check(
  Schema.isPattern(/^\d{1,15}$/, { message: "expected a number of bytes, in digits" }),
)

const protocol = { "tus-resumable": Schema.optionalKey(Schema.String) }

export class UploadsApi extends HttpApiGroup.make("uploads")
  .add(
    HttpApiEndpoint.options("capabilities", "/", {
      params: collection,
      success: HttpApiSchema.NoContent,
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "What of the tus protocol is spoken here")
      .annotate(
        OpenApi.Description,
        "In the headers `Tus-Version`, `Tus-Extension`, `Tus-Max-Size` and `Tus-Checksum-Algorithm`.",
      ),
    HttpApiEndpoint.post("create", "/", {
      params: collection,
      query: {
        /** Makes the model too when there is none. */
        create: Schema.optionalKey(Schema.Literals(["true", "false"])),
        /** Points here once the version is ready. */
        alias: Schema.optionalKey(AliasName),
        /** Moves the alias even if its callers may fail with the file's signature. */
        force: Schema.optionalKey(Schema.Literals(["true", "false"])),
        description: Schema.optionalKey(Description),
        /** SHA-256 of the whole file. What is a version already is refused before it is sent. */
        digest: Schema.optionalKey(Digest),
      },
      headers: {
        ...protocol,
        ...idempotencyHeaders,
        /** Bytes of the whole file. */
        "upload-length": Bytes,
        "upload-metadata": Schema.optionalKey(Schema.String.check(Schema.isMaxLength(4096))),
      },
      success: UploadResource.pipe(HttpApiSchema.status(201)),
      error: [
        BadRequestProblem,
        ModelNotFoundProblem,
        DuplicateVersionProblem,
        UnsupportedProtocolProblem,
        TooLargeProblem,
        OverloadedProblem,
        UnavailableProblem,
      ],
    })
      // A second session does no harm: it is forgotten.
      .middleware(IdempotentRequests)
      .annotate(Repetition, { repeatable: true, keepsAnswer: true, streamed: false })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Begin an upload that can be continued")
      .annotate(
        OpenApi.Description,
        "`Location` is where the bytes go, `Upload-Expires` when it is forgotten. `Upload-Metadata` is given back and " +
          "means nothing here.",
      ),
    HttpApiEndpoint.get("get", "/:upload", {
      params: member,
      headers: protocol,
      success: UploadResource,
      error: [UploadNotFoundProblem, UnsupportedProtocolProblem, UnavailableProblem],
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "How far an upload is, or how it ended")
      .annotate(
        OpenApi.Description,
        "HEAD is how tus clients ask: `Upload-Offset` is where to go on, `Upload-Length` the whole.",
      ),
    HttpApiEndpoint.patch("append", "/:upload", {
      params: member,
      headers: {
        ...protocol,
        /** Where the bytes begin: the offset the upload has. */
        "upload-offset": Bytes,
        /** `sha1` or `sha256`, a space, and the base64 of the digest of this request's bytes. */
        "upload-checksum": Schema.optionalKey(Schema.String),
      },
      payload: HttpApiSchema.StreamUint8Array({ contentType: uploadPieceType }),
      success: [HttpApiSchema.NoContent, VersionResource.pipe(HttpApiSchema.status(201))],
      error: [
        BadRequestProblem,
        DigestMismatchProblem,
        UploadInterruptedProblem,
        UploadNotFoundProblem,
        ModelNotFoundProblem,
        VersionNotFoundProblem,
        OffsetMismatchProblem,
        DuplicateVersionProblem,
        IncompatibleSignatureProblem,
        UnsupportedProtocolProblem,
        RequestTimeoutProblem,
        TooLargeProblem,
        UnsupportedMediaTypeProblem,
        UnusableModelProblem,
        UploadLockedProblem,
        ChecksumMismatchProblem,
        UnavailableProblem,
      ],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Send bytes of an upload")
      .annotate(
        OpenApi.Description,
        "204 with the new `Upload-Offset`. The request with the last byte is answered as an upload in one request is: 201 " +
          "with the version, or why there is none. When that answer is lost, the same request without bytes asks for it again.",
      ),
    HttpApiEndpoint.delete("abort", "/:upload", {
      params: member,
      headers: protocol,
      success: HttpApiSchema.NoContent,
      error: [UploadNotFoundProblem, UnsupportedProtocolProblem, UploadLockedProblem, UnavailableProblem],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Abort an upload and free its bytes"),
  )
  .prefix("/v1/models/:model/uploads")
  .annotateMerge(OpenApi.annotations({ title: "Uploads" })) {}
