/** Handlers of versions: translate, nothing else. */
import { ForgeApi, UnavailableProblem } from "@modelforge/api"
import {
  type Download,
  type InferenceError,
  LoadedModels,
  Registry,
  RegistryError,
  type Route,
  RoutingTable,
  Uploads,
  type Version,
  VersionConflict,
  VersionNumber,
} from "@modelforge/core"
import { Effect, Option, Result, Sink, Stream } from "effect"
import { HttpIncomingMessage, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { ReceivedContent } from "../idempotency/ReceivedContent.ts"
import { entityTag, expectationOf, tagged, unlessKnown } from "./conditions.ts"
import { makeCursors } from "./cursor.ts"
import { answering, modelName } from "./failures.ts"
import { announcedDigest, uploadBody } from "./uploadBody.ts"
import { versionResource } from "./versionResource.ts"

const versionKey = (key: string) =>
  /^\d{1,10}$/.test(key) ? VersionNumber.makeOption(Number(key)) : Option.none()

/** A download once its first bytes are there: what fails before them can still be answered, what fails after is logged. */
const begun = Effect.fnUntraced(function* (bytes: Download["bytes"]) {
  const [first, rest] = yield* Stream.peel(bytes, Sink.take<Uint8Array>(1))
  return Stream.concat(
    Stream.fromIterable(first),
    Stream.tapError(rest, (error) => Effect.logError("A download broke off", error)),
  )
})

export const layerVersions = HttpApiBuilder.group(
  ForgeApi,
  "versions",
  Effect.fnUntraced(function* (handlers) {
    const registry = yield* Registry
    const uploads = yield* Uploads
    const routing = yield* RoutingTable
    const loaded = yield* LoadedModels
    const { windowOf, pageOf } = yield* makeCursors

    const resource = versionResource(loaded)
    /** What this server has in memory is shown with a version, but no change depends on it. */
    const tag = (version: Version) => entityTag(version, resource(version).serving)
    const answer = (version: Version) => tagged(resource(version), tag(version))

    /** A version that can be in memory, and where it is found there. */
    const servable = Effect.fnUntraced(function* (params: {
      readonly model: string
      readonly version: string
    }) {
      const version = yield* registry.version(yield* modelName(params.model), params.version)
      const { model, state } = version
      const route = Result.getOrUndefined(routing.resolve(model, String(version.version)))
      if (state !== "ready" || route === undefined)
        return yield* new RegistryError({
          reason: VersionConflict.notServable(model, version.version, state),
        })
      return { version, route }
    })

    const change = (work: (route: Route) => Effect.Effect<void, InferenceError>) =>
      Effect.fnUntraced(
        function* ({ params }: { readonly params: { readonly model: string; readonly version: string } }) {
          const { version, route } = yield* servable(params)
          yield* Effect.mapError(work(route), ({ message }) => new UnavailableProblem({ detail: message }))
          return answer(version)
        },
        answering("ModelNotFound", "VersionNotFound", "VersionConflict"),
      )

    return handlers
      .handleRaw(
        "upload",
        Effect.fnUntraced(
          function* ({ params, query, headers, request }) {
            const model = yield* modelName(params.model)
            const expectedDigest = yield* announcedDigest(headers["content-digest"])
            const version = yield* uploads.receive({
              model,
              bytes: yield* uploadBody(request),
              expectedDigest,
              createModel: query.create === "true",
              alias: query.alias,
              force: query.force === "true",
              description: query.description,
            })
            const received = yield* ReceivedContent
            received(version.digest)
            return answer(version)
          },
          // The upload has its own limit, and its body is never held.
          Effect.provideService(HttpIncomingMessage.MaxBodySize, undefined),
          answering(
            "ModelNotFound",
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
      .handleAll({
        list: Effect.fnUntraced(function* ({ params, query }) {
          const window = yield* windowOf(["versions", params.model], query, versionKey)
          const versions = yield* registry.versions(yield* modelName(params.model), {
            ...window,
            limit: window.limit + 1,
            state: query.state,
          })
          return pageOf(
            ["versions", params.model],
            versions.map(resource),
            window.limit,
            ({ version }) => version,
          )
        }, answering("ModelNotFound")),
        get: ({ params, headers }) =>
          modelName(params.model).pipe(
            Effect.flatMap((model) => registry.version(model, params.version)),
            Effect.map((version) => unlessKnown(headers, tag(version), () => answer(version))),
            answering("ModelNotFound", "VersionNotFound"),
          ),
        update: ({ params, headers, payload }) =>
          modelName(params.model).pipe(
            Effect.flatMap((model) =>
              registry.describeVersion(model, params.version, payload.description, expectationOf(headers)),
            ),
            Effect.map(answer),
            answering("ModelNotFound", "VersionNotFound", "RevisionMismatch"),
          ),
        load: change(loaded.load),
        unload: change(loaded.unload),
        archive: ({ params }) =>
          modelName(params.model).pipe(
            Effect.flatMap((model) => registry.archiveVersion(model, params.version)),
            Effect.map(answer),
            answering("ModelNotFound", "VersionNotFound", "VersionConflict"),
          ),
        restore: ({ params }) =>
          modelName(params.model).pipe(
            Effect.flatMap((model) => registry.restoreVersion(model, params.version)),
            Effect.map(answer),
            answering("ModelNotFound", "VersionNotFound", "VersionConflict"),
          ),
        remove: ({ params, headers }) =>
          modelName(params.model).pipe(
            Effect.flatMap((model) => registry.deleteVersion(model, params.version, expectationOf(headers))),
            answering("ModelNotFound", "VersionNotFound", "VersionConflict", "RevisionMismatch"),
          ),
      })
      .handleRaw(
        "download",
        Effect.fnUntraced(
          function* ({ params }) {
            const { digest, size, bytes } = yield* registry.artifact(
              yield* modelName(params.model),
              params.version,
            )
            return HttpServerResponse.stream(yield* begun(bytes), {
              contentType: "application/octet-stream",
              contentLength: size,
              headers: {
                etag: `"${digest}"`,
                "content-disposition": `attachment; filename="${params.model}.onnx"`,
              },
            })
          },
          answering("ModelNotFound", "VersionNotFound"),
        ),
      )
  }),
)
