/** Handlers of the Open Inference Protocol, but for the inference itself, which is the data plane's. */
import { ForgeApi } from "@modelforge/api"
import {
  type Dimension,
  Inference,
  type InferenceError,
  LoadedModels,
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

/** Of Triton's extensions those that are served, in its order. */
const extensions = ["classification", "model_repository", "schedule_policy", "binary_tensor_data"]

/** V2 has one word for every dimension without a fixed size. */
const dimension = (size: Dimension): number => (typeof size === "number" ? size : -1)

const tensorMetadata = ({ name, datatype, shape }: TensorSpec) => ({
  name,
  datatype,
  shape: shape.map(dimension),
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

    const metadata = (model: string, version?: string) =>
      answer(model, version, (route) => ({
        name: route.model,
        versions:
          version === undefined
            ? (routing.readyVersions(model) ?? []).map((ready) => String(ready.version))
            : [String(route.version)],
        platform: "onnx_onnxv1",
        inputs: route.signature.inputs.map(tensorMetadata),
        outputs: route.signature.outputs.map(tensorMetadata),
      }))

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
      .handleRaw("model", ({ params }) => metadata(params.model))
      .handleRaw("version", ({ params }) => metadata(params.model, params.version))
      .handleRaw("modelReady", ({ params }) => ready(params.model))
      .handleRaw("versionReady", ({ params }) => ready(params.model, params.version))
      .handleRaw("repositoryIndex", ({ request }) => Effect.orDie(repository.index(request)))
      .handleRaw("repositoryLoad", ({ params }) => repository.load(params.model))
      .handleRaw("repositoryUnload", ({ params }) => repository.unload(params.model))
      .handleRaw("infer", ({ params, request }) =>
        serve({ kind: "infer", model: params.model, version: undefined }, request),
      )
      .handleRaw("inferVersion", ({ params, request }) =>
        serve({ kind: "infer", model: params.model, version: params.version }, request),
      )
  }),
)
