/** Versions of a model: uploading, reading, downloading. */
import { AliasName, Description, Serving, Version, VersionState } from "@modelforge/core/model"
import * as Multipart from "effect/http/Multipart"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { changeHeaders, NotModified, readHeaders, Tagged } from "./ConditionalRequests.ts"
import { IdempotentRequests, idempotencyHeaders, Repetition } from "./IdempotentRequests.ts"
import { Page, pageQuery } from "./Page.ts"
import { Permitted } from "./Permitted.ts"
import {
  BadRequestProblem,
  DuplicateVersionProblem,
  IncompatibleSignatureProblem,
  ModelNotFoundProblem,
  PreconditionFailedProblem,
  TooLargeProblem,
  TrafficConflictProblem,
  UnavailableProblem,
  UnsupportedMediaTypeProblem,
  VersionConflictProblem,
  VersionNotFoundProblem,
} from "./Problems.ts"
import { RequestTimeoutProblem } from "./ProtectionProblems.ts"
import { DigestMismatchProblem, UnusableModelProblem, UploadInterruptedProblem } from "./UploadProblems.ts"

/** A version as `/v1` shows it. */
export const VersionResource = Schema.Struct({
  ...Version.fields,
  /** Whether the server that answers has it in memory. */
  serving: Serving,
})
export type VersionResource = typeof VersionResource.Type

const params = { model: Schema.String, version: Schema.String }
const notFound = [ModelNotFoundProblem, VersionNotFoundProblem, UnavailableProblem] as const

export class VersionsApi extends HttpApiGroup.make("versions")
  .add(
    HttpApiEndpoint.post("upload", "/", {
      params: { model: Schema.String },
      query: {
        /** Makes the model too when there is none. */
        create: Schema.optionalKey(Schema.Literals(["true", "false"])),
        /** Points here once the version is ready. */
        alias: Schema.optionalKey(AliasName),
        /** Moves the alias even if its callers may fail with the file's signature. */
        force: Schema.optionalKey(Schema.Literals(["true", "false"])),
        description: Schema.optionalKey(Description),
      },
      headers: { ...idempotencyHeaders, "content-digest": Schema.optionalKey(Schema.String) },
      payload: [
        HttpApiSchema.StreamUint8Array(),
        Schema.Struct({ file: Multipart.SingleFileSchema }).pipe(HttpApiSchema.asMultipartStream()),
      ],
      success: Tagged(VersionResource.pipe(HttpApiSchema.status(201))),
      error: [
        BadRequestProblem,
        DigestMismatchProblem,
        UploadInterruptedProblem,
        ModelNotFoundProblem,
        DuplicateVersionProblem,
        IncompatibleSignatureProblem,
        TrafficConflictProblem,
        RequestTimeoutProblem,
        TooLargeProblem,
        UnsupportedMediaTypeProblem,
        UnusableModelProblem,
        UnavailableProblem,
      ],
    })
      .middleware(IdempotentRequests)
      .annotate(Repetition, { repeatable: true, keepsAnswer: true, streamed: true })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Upload an ONNX file as the next version")
      .annotate(
        OpenApi.Description,
        "The file as the body, or as the multipart field `file`. It is scanned while it arrives and loaded once " +
          "before the answer; a file that can't be served is refused and leaves nothing behind, and so is one with " +
          "which callers of `alias` may fail, unless `force=true`. " +
          "`Content-Digest: sha-256=:…:` is checked when sent.",
      ),
    HttpApiEndpoint.get("list", "/", {
      params: { model: Schema.String },
      query: { ...pageQuery, state: Schema.optionalKey(VersionState) },
      success: Page(VersionResource),
      error: [ModelNotFoundProblem, UnavailableProblem],
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "List versions, newest first"),
    HttpApiEndpoint.get("get", "/:version", {
      params,
      headers: readHeaders,
      success: [Tagged(VersionResource), NotModified],
      error: notFound,
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Get a version by number or alias"),
    HttpApiEndpoint.get("download", "/:version/artifact", {
      params,
      success: HttpApiSchema.StreamUint8Array(),
      error: notFound,
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Download the ONNX file"),
    HttpApiEndpoint.patch("update", "/:version", {
      params,
      headers: changeHeaders,
      payload: Schema.Struct({ description: Description }),
      success: Tagged(VersionResource),
      error: [...notFound, PreconditionFailedProblem, RequestTimeoutProblem],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Change a version's description"),
    HttpApiEndpoint.post("load", "/:version/load", {
      params,
      success: Tagged(VersionResource),
      error: [...notFound, VersionConflictProblem],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Load a version into memory")
      .annotate(
        OpenApi.Description,
        "Answers when it serves. 503 says why it could not be loaded. Applies to the server that answers.",
      ),
    HttpApiEndpoint.post("unload", "/:version/unload", {
      params,
      success: Tagged(VersionResource),
      error: [...notFound, VersionConflictProblem],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Unload a version from memory")
      .annotate(
        OpenApi.Description,
        "Answers when its requests are answered and its memory is free. Until it is loaded again, predictions for it " +
          "are answered 503. Applies to the server that answers, until it is stopped.",
      ),
    HttpApiEndpoint.post("archive", "/:version/archive", {
      params,
      success: Tagged(VersionResource),
      error: [...notFound, VersionConflictProblem],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Archive a version that no alias points at")
      .annotate(OpenApi.Description, "No request is routed to it any more. It can be restored."),
    HttpApiEndpoint.post("restore", "/:version/restore", {
      params,
      success: Tagged(VersionResource),
      error: [...notFound, VersionConflictProblem],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Make an archived version ready again"),
    HttpApiEndpoint.delete("remove", "/:version", {
      params,
      headers: changeHeaders,
      success: HttpApiSchema.NoContent,
      error: [...notFound, VersionConflictProblem, PreconditionFailedProblem],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Delete a version that no alias points at"),
  )
  .prefix("/v1/models/:model/versions")
  .annotateMerge(OpenApi.annotations({ title: "Versions" })) {}
