/** Handlers of uploads that can be continued: translate, nothing else. */
import { ForgeApi, UploadResource, VersionResource } from "@modelforge/api"
import {
  ForgeConfig,
  LoadedModels,
  ModelName,
  Registry,
  UploadError,
  UploadInterrupted,
  UploadNotFound,
  type UploadSession,
  UploadSessions,
} from "@modelforge/core"
import { Effect, flow, Option, Stream } from "effect"
import { HttpIncomingMessage, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { registryProblem } from "../problems.ts"
import { answering, answeringUploads, modelName } from "./failures.ts"
import {
  announcedChecksum,
  announcedSize,
  capabilities,
  checkPieceType,
  locationOf,
  progress,
  speakTus,
  tusVersion,
} from "./tus.ts"
import { versionResource } from "./versionResource.ts"
import { withHeaders } from "./withHeaders.ts"

/** When it may be worth asking for a place again, in seconds: uploads take their time. */
const retryAfter = "60"

const resource = ({ refusal, ...session }: UploadSession): UploadResource => {
  const problem = refusal === null ? null : registryProblem(refusal)
  return {
    ...session,
    problem:
      problem === null
        ? null
        : {
            type: problem.type,
            status: problem.status,
            title: problem.title,
            detail: problem.detail ?? problem.title,
            ...("code" in problem ? { code: problem.code } : {}),
          },
  }
}

/** The model of a path. What can't be a name has no uploads. */
const modelOf = ({ model, upload }: { readonly model: string; readonly upload: string }) =>
  Option.match(ModelName.makeOption(model), {
    onNone: () => Effect.fail(new UploadError({ reason: new UploadNotFound({ upload }) })),
    onSome: Effect.succeed,
  })

const uploadJson = flow(HttpServerResponse.schemaJson(UploadResource), Effect.orDie)
const versionJson = flow(HttpServerResponse.schemaJson(VersionResource), Effect.orDie)

export const layerUploads = HttpApiBuilder.group(
  ForgeApi,
  "uploads",
  Effect.fnUntraced(function* (handlers) {
    const { maxArtifactBytes } = yield* ForgeConfig
    const sessions = yield* UploadSessions
    const registry = yield* Registry
    const asResource = versionResource(yield* LoadedModels)

    return handlers
      .handleRaw("capabilities", () =>
        Effect.as(
          withHeaders({ "tus-resumable": tusVersion }),
          HttpServerResponse.empty({ headers: capabilities(maxArtifactBytes) }),
        ),
      )
      .handleRaw(
        "create",
        Effect.fnUntraced(
          function* ({ params, query, headers, request }) {
            yield* speakTus(headers["tus-resumable"], true)
            const session = yield* sessions.create({
              model: yield* modelName(params.model),
              size: yield* announcedSize(headers["upload-length"]),
              digest: query.digest,
              createModel: query.create === "true",
              alias: query.alias,
              force: query.force === "true",
              description: query.description,
              metadata: headers["upload-metadata"],
            })
            const location = locationOf(request, session.id)
            return yield* uploadJson(resource(session), {
              status: 201,
              headers: { ...progress(session), location },
            })
          },
          Effect.tapError((error) =>
            error instanceof UploadError && error.reason._tag === "TooManyUploads"
              ? withHeaders({ "retry-after": retryAfter })
              : Effect.void,
          ),
          answeringUploads("TooManyUploads"),
          answering("ModelNotFound", "DuplicateVersion", "ArtifactTooLarge"),
        ),
      )
      .handleRaw(
        "get",
        Effect.fnUntraced(function* ({ params, headers }) {
          yield* speakTus(headers["tus-resumable"], false)
          const session = yield* sessions.find(yield* modelOf(params), params.upload)
          return yield* uploadJson(resource(session), { headers: progress(session) })
        }, answeringUploads("UploadNotFound")),
      )
      .handleRaw(
        "append",
        Effect.fnUntraced(
          function* ({ params, headers, request }) {
            yield* speakTus(headers["tus-resumable"], true)
            yield* checkPieceType(request)
            const session = yield* sessions.append(yield* modelOf(params), params.upload, {
              offset: Number(headers["upload-offset"]),
              bytes: Stream.mapError(
                request.stream,
                () => new UploadInterrupted({ detail: "the connection broke" }),
              ),
              checksum: yield* announcedChecksum(headers["upload-checksum"]),
            })
            if (session.version === null) return HttpServerResponse.empty({ headers: progress(session) })
            const version = yield* registry.version(session.model, String(session.version))
            return yield* versionJson(asResource(version), { status: 201, headers: progress(session) })
          },
          // An upload has its own limit, and its bytes are never held.
          Effect.provideService(HttpIncomingMessage.MaxBodySize, undefined),
          answeringUploads(
            "UploadNotFound",
            "UploadLocked",
            "OffsetMismatch",
            "ChecksumMismatch",
            "UploadOverrun",
            "UploadFragmented",
          ),
          answering(
            "ModelNotFound",
            "VersionNotFound",
            "DuplicateVersion",
            "IncompatibleSignature",
            "TrafficConflict",
            "DigestMismatch",
            "ArtifactTooLarge",
            "UnusableModel",
            "UploadInterrupted",
          ),
        ),
      )
      .handleRaw(
        "abort",
        Effect.fnUntraced(
          function* ({ params, headers }) {
            yield* speakTus(headers["tus-resumable"], false)
            yield* sessions.abort(yield* modelOf(params), params.upload)
            return HttpServerResponse.empty()
          },
          answeringUploads("UploadNotFound", "UploadLocked"),
        ),
      )
  }),
)
