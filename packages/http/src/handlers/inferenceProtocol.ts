/** Handlers of the Open Inference Protocol, but for the inference itself, which is the data plane's. */
import { ForgeApi } from "@modelforge/api"
import {
  CurrentIdentity,
  Inference,
  type InferenceError,
  LoadedModels,
  mayUse,
  type Route,
  RoutingTable,
  type TensorSpec,
} from "@modelforge/core"
import { Effect, Result } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { messageV2 } from "../dataplane/response/response.ts"
import { inferenceProblem } from "../problems.ts"
import { ServerReadiness } from "../ServerReadiness.ts"
import { ServerVersion } from "../ServerVersion.ts"
import { serveDataPlane } from "./dataPlaneRoute.ts"
import { makeRepository, readinessOf } from "./repository.ts"
import { makeStatistics } from "./statistics.ts"
import { sizeOf, tritonConfig } from "./tritonConfig.ts"

/** Of Triton's extensions those that are served, in its order. */
const extensions = [
  "classification",
  "model_repository",
  "model_repository(unload_dependents)",
  "schedule_policy",
  "model_configuration",
  "binary_tensor_data",
  "statistics",
]

const tensorMetadata = ({ name, datatype, shape }: TensorSpec) => ({
  name,
  datatype,
  shape: shape.map(sizeOf),
})

const failure = ({ reason }: InferenceError) => {
  const missing = reason._tag === "ModelNotFound" || reason._tag === "VersionNotFound"
  const error = messageV2(inferenceProblem(reason))
  return HttpServerResponse.jsonUnsafe({ error }, { status: missing ? 404 : 503 })
}

export const layerInferenceProtocol = HttpApiBuilder.group(
  ForgeApi,
  "inferenceProtocol",
  Effect.fnUntraced(function* (handlers) {
    const inference = yield* Inference
    const routing = yield* RoutingTable
    const loaded = yield* LoadedModels
    const repository = yield* makeRepository
    const statistics = yield* makeStatistics
    const readiness = yield* ServerReadiness
    const version = yield* ServerVersion
    const serve = yield* serveDataPlane

    const answer = (model: string, version: string | undefined, body: (route: Route) => unknown) =>
      Effect.sync(() =>
        Result.match(inference.route(model, version), {
          onFailure: failure,
          onSuccess: (route) => HttpServerResponse.jsonUnsafe(body(route)),
        }),
      )

    /** Those that can be asked, or the one that was asked for. */
    const versionsOf = (route: Route, version: string | undefined): ReadonlyArray<Route> =>
      version === undefined ? (routing.readyVersions(route.model) ?? []) : [route]

    const metadata = (model: string, version?: string) =>
      answer(model, version, (route) => ({
        name: route.model,
        versions: versionsOf(route, version).map((ready) => String(ready.version)),
        platform: "onnx_onnxv1",
        inputs: route.signature.inputs.map(tensorMetadata),
        outputs: route.signature.outputs.map(tensorMetadata),
      }))

    const stats = (model: string, version?: string) =>
      answer(model, version, (route) => statistics.ofRoutes(versionsOf(route, version)))

    const config = (model: string, version?: string) =>
      answer(model, version, (route) =>
        tritonConfig(
          route,
          versionsOf(route, version).map((ready) => ready.version),
        ),
      )

    const ready = (model: string, version?: string) =>
      Effect.sync(() =>
        Result.match(inference.route(model, version), {
          onFailure: failure,
          onSuccess: ({ id, model: name }) => {
            const { state, reason } = readinessOf(loaded.serving(id))
            return state === "READY"
              ? HttpServerResponse.jsonUnsafe({ name, ready: true })
              : HttpServerResponse.jsonUnsafe(
                  { error: `Model "${name}" is not ready: ${reason === "" ? state.toLowerCase() : reason}` },
                  { status: 503 },
                )
          },
        }),
      )

    return handlers
      .handle("server", () => Effect.succeed({ name: "modelforge", version, extensions }))
      .handle("live", () => Effect.succeed({ live: true }))
      .handleRaw("ready", () =>
        Effect.map(readiness.get, (state) =>
          HttpServerResponse.jsonUnsafe({ ready: state.ready }, { status: state.ready ? 200 : 503 }),
        ),
      )
      .handle("models", () =>
        Effect.map(CurrentIdentity, (caller) => ({
          models: routing.models().filter((model) => mayUse(caller, model)),
        })),
      )
      .handleRaw("statistics", () =>
        Effect.map(CurrentIdentity, (caller) => HttpServerResponse.jsonUnsafe(statistics.ofAll(caller))),
      )
      .handleRaw("modelStatistics", ({ params }) => stats(params.model))
      .handleRaw("versionStatistics", ({ params }) => stats(params.model, params.version))
      .handleRaw("modelConfig", ({ params }) => config(params.model))
      .handleRaw("versionConfig", ({ params }) => config(params.model, params.version))
      .handleRaw("model", ({ params }) => metadata(params.model))
      .handleRaw("version", ({ params }) => metadata(params.model, params.version))
      .handleRaw("modelReady", ({ params }) => ready(params.model))
      .handleRaw("versionReady", ({ params }) => ready(params.model, params.version))
      .handleRaw("repositoryIndex", ({ request }) => Effect.orDie(repository.index(request)))
      .handleRaw("repositoryLoad", ({ params, request }) =>
        Effect.orDie(repository.load(params.model, request)),
      )
      .handleRaw("repositoryUnload", ({ params, request }) =>
        Effect.orDie(repository.unload(params.model, request)),
      )
      .handleRaw("infer", ({ params, request }) =>
        serve({ kind: "infer", model: params.model, version: undefined }, request),
      )
      .handleRaw("inferVersion", ({ params, request }) =>
        serve({ kind: "infer", model: params.model, version: params.version }, request),
      )
  }),
)
