/** The Open Inference Protocol, V2, over REST: what clients of Triton and KServe speak. */
import { Datatype } from "@modelforge/core/model"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { Permitted } from "./Permitted.ts"

/** Every failure of V2 has this body. */
const failure = <const Status extends number>(status: Status) =>
  Schema.Struct({ error: Schema.String }).pipe(HttpApiSchema.status(status))

export const InferenceProtocolBadRequest = failure(400)
export const InferenceProtocolUnauthorized = failure(401)
export const InferenceProtocolForbidden = failure(403)
export const InferenceProtocolNotFound = failure(404)
export const InferenceProtocolRequestTimeout = failure(408)
export const InferenceProtocolTooLarge = failure(413)
export const InferenceProtocolUnsupportedMediaType = failure(415)
export const InferenceProtocolRateLimited = failure(429)
export const InferenceProtocolInternal = failure(500)
export const InferenceProtocolUnsupported = failure(501)
export const InferenceProtocolUnavailable = failure(503)
export const InferenceProtocolTimeout = failure(504)

const Shape = Schema.Array(Schema.Int)
const Parameters = Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number, Schema.Boolean]))

/** `-1` stands for a dimension of any size. */
const TensorMetadata = Schema.Struct({ name: Schema.String, datatype: Datatype, shape: Shape })

export const ServerMetadata = Schema.Struct({
  name: Schema.String,
  version: Schema.String,
  extensions: Schema.Array(Schema.String),
})

export const ModelMetadata = Schema.Struct({
  name: Schema.String,
  versions: Schema.Array(Schema.String),
  platform: Schema.String,
  inputs: Schema.Array(TensorMetadata),
  outputs: Schema.Array(TensorMetadata),
})

/** Names only; each has its metadata. KServe's clients ask for it. */
const ModelList = Schema.Struct({ models: Schema.Array(Schema.String) })

/** How often, and nanoseconds in all. */
const Duration = Schema.Struct({ count: Schema.Int, ns: Schema.Int })

const BatchStatistics = Schema.Struct({
  /** Rows of a run. Beyond 256, runs are counted with the power of two below. */
  batch_size: Schema.Int,
  compute_input: Duration,
  compute_infer: Duration,
  compute_output: Duration,
})

/** Of a version, since this server started. */
const VersionStatistics = Schema.Struct({
  name: Schema.String,
  version: Schema.String,
  /** When a run ended last, in milliseconds since the epoch; 0 before the first. */
  last_inference: Schema.Int,
  /** Rows. */
  inference_count: Schema.Int,
  /** Runs; requests that were joined share one. */
  execution_count: Schema.Int,
  inference_stats: Schema.Struct({
    success: Duration,
    fail: Duration,
    queue: Duration,
    compute_input: Duration,
    compute_infer: Duration,
    compute_output: Duration,
    cache_hit: Duration,
    cache_miss: Duration,
  }),
  /** Empty: no model here gives more than one answer to a request. */
  response_stats: Schema.Struct({}),
  batch_stats: Schema.Array(BatchStatistics),
  /** Empty while the version is not in memory. */
  memory_usage: Schema.Array(
    Schema.Struct({ type: Schema.Literal("CPU"), id: Schema.Int, byte_size: Schema.Int }),
  ),
})

export const ModelStatisticsList = Schema.Struct({ model_stats: Schema.Array(VersionStatistics) })

/** `dims` are without the batch's dimension where `max_batch_size` is not 0. BYTES are `TYPE_STRING`. */
const ConfigTensor = Schema.Struct({
  name: Schema.String,
  data_type: Schema.String,
  dims: Schema.Array(Schema.Int),
})

/** Triton's configuration of a model, as far as there is one to tell. */
export const TritonModelConfig = Schema.Struct({
  name: Schema.String,
  platform: Schema.String,
  backend: Schema.String,
  version_policy: Schema.Struct({ specific: Schema.Struct({ versions: Schema.Array(Schema.Int) }) }),
  /** 0 where rows can't be told from the signature: then `dims` are whole shapes. */
  max_batch_size: Schema.Int,
  input: Schema.Array(ConfigTensor),
  output: Schema.Array(ConfigTensor),
  /** Where requests may be joined. */
  dynamic_batching: Schema.optionalKey(Schema.Struct({ max_queue_delay_microseconds: Schema.Int })),
})

/** Clients send members of their own, which mean nothing here. */
const open = <const Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.StructWithRest(Schema.Struct(fields), [Schema.Record(Schema.String, Schema.Unknown)])

export const InferRequest = open({
  id: Schema.optionalKey(Schema.String),
  parameters: Schema.optionalKey(Parameters),
  inputs: Schema.Array(
    open({
      name: Schema.String,
      shape: Shape,
      datatype: Datatype,
      parameters: Schema.optionalKey(Parameters),
      /** Elements in row-major order, flat or nested along the shape; left out with `parameters.binary_data_size`. */
      data: Schema.optionalKey(Schema.Array(Schema.Unknown)),
    }),
  ),
  outputs: Schema.optionalKey(
    Schema.Array(open({ name: Schema.String, parameters: Schema.optionalKey(Parameters) })),
  ),
})

export const InferResponse = Schema.Struct({
  model_name: Schema.String,
  model_version: Schema.String,
  id: Schema.optionalKey(Schema.String),
  outputs: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      shape: Shape,
      datatype: Datatype,
      parameters: Schema.optionalKey(Parameters),
      /** Left out with `parameters.binary_data_size`. */
      data: Schema.optionalKey(Schema.Array(Schema.Unknown)),
    }),
  ),
})

/** The JSON, then the bytes of each binary tensor in its order. */
const Binary = Schema.Uint8Array.pipe(HttpApiSchema.asUint8Array({ contentType: "application/octet-stream" }))

const inferDescription =
  "Tensors are JSON, or bytes behind the JSON: then the header `Inference-Header-Content-Length` says how many bytes of " +
  "the body are JSON, and `parameters.binary_data_size` how many bytes each such input has, in the order of `inputs`; a " +
  "length of 0 makes the whole body the only input. Bytes are little-endian and row-major; each element of BYTES follows " +
  "its length, 4 bytes. `outputs[].parameters.binary_data`, or `parameters.binary_data_output` where no outputs are " +
  "listed, asks for bytes in the answer, which has the same header then. `outputs[].parameters.classification` asks for " +
  "the greatest elements only. Bodies may be compressed with gzip or deflate both ways."

const model = { model: Schema.String }
const version = { model: Schema.String, version: Schema.String }

const lookupErrors = [InferenceProtocolNotFound, InferenceProtocolUnavailable] as const
const metadata = { success: ModelMetadata, error: lookupErrors }
const statistics = { success: ModelStatisticsList, error: lookupErrors }
const config = { success: TritonModelConfig, error: lookupErrors }
const ready = {
  success: Schema.Struct({ name: Schema.String, ready: Schema.Boolean }),
  error: lookupErrors,
}
const infer = {
  payload: [InferRequest, Binary],
  success: [InferResponse, Binary],
  error: [
    InferenceProtocolBadRequest,
    InferenceProtocolNotFound,
    InferenceProtocolRequestTimeout,
    InferenceProtocolTooLarge,
    InferenceProtocolUnsupportedMediaType,
    InferenceProtocolInternal,
    InferenceProtocolUnsupported,
    InferenceProtocolUnavailable,
    InferenceProtocolTimeout,
  ],
}

/** Where a model's requests are served from; a version that was never needed yet counts as ready. */
const RepositoryEntry = Schema.Struct({
  name: Schema.String,
  version: Schema.optionalKey(Schema.String),
  state: Schema.Literals(["READY", "UNAVAILABLE", "LOADING"]),
  /** Empty where there is none. */
  reason: Schema.String,
})

/** Clients send no body, an empty one, or parameters. */
const repositoryChange = {
  params: { model: Schema.String },
  success: Schema.Struct({}),
  error: [
    InferenceProtocolBadRequest,
    InferenceProtocolNotFound,
    InferenceProtocolRequestTimeout,
    InferenceProtocolTooLarge,
    InferenceProtocolUnsupported,
    InferenceProtocolUnavailable,
  ],
}

const statisticsDescription =
  "Counted since this server started, for each version that can be asked; a version that was deleted or archived begins " +
  "anew when it comes back. Durations are `{count, ns}`, summed over the requests that were answered: `queue` is the way " +
  "to the run, the inputs' included, so that `compute_input` stays 0; `compute_infer` the run; `compute_output` the way back."

export class InferenceProtocolApi extends HttpApiGroup.make("inferenceProtocol")
  .add(
    HttpApiEndpoint.get("server", "/", { success: ServerMetadata })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Server metadata"),
    HttpApiEndpoint.get("live", "/health/live", {
      success: Schema.Struct({ live: Schema.Boolean }),
    })
      .annotate(Permitted, "public")
      .annotate(OpenApi.Summary, "The server is live"),
    HttpApiEndpoint.get("ready", "/health/ready", {
      success: [
        Schema.Struct({ ready: Schema.Boolean }),
        Schema.Struct({ ready: Schema.Boolean }).pipe(HttpApiSchema.status(503)),
      ],
    })
      .annotate(Permitted, "public")
      .annotate(OpenApi.Summary, "The server is ready"),
    HttpApiEndpoint.get("models", "/models", { success: ModelList })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "All models"),
    HttpApiEndpoint.get("statistics", "/models/stats", { success: ModelStatisticsList })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Statistics of all models")
      .annotate(OpenApi.Description, statisticsDescription),
    HttpApiEndpoint.get("modelStatistics", "/models/:model/stats", { params: model, ...statistics })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Statistics of a model's versions")
      .annotate(OpenApi.Description, statisticsDescription),
    HttpApiEndpoint.get("versionStatistics", "/models/:model/versions/:version/stats", {
      params: version,
      ...statistics,
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Statistics of a version")
      .annotate(OpenApi.Description, statisticsDescription),
    HttpApiEndpoint.get("modelConfig", "/models/:model/config", { params: model, ...config })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Configuration of a model, in Triton's shape"),
    HttpApiEndpoint.get("versionConfig", "/models/:model/versions/:version/config", {
      params: version,
      ...config,
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Configuration of a version, in Triton's shape"),
    HttpApiEndpoint.get("model", "/models/:model", { params: model, ...metadata })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Model metadata"),
    HttpApiEndpoint.get("version", "/models/:model/versions/:version", {
      params: version,
      ...metadata,
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Metadata of a version"),
    HttpApiEndpoint.get("modelReady", "/models/:model/ready", { params: model, ...ready })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "The model is ready"),
    HttpApiEndpoint.get("versionReady", "/models/:model/versions/:version/ready", {
      params: version,
      ...ready,
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "The version is ready"),
    HttpApiEndpoint.post("infer", "/models/:model/infer", { params: model, ...infer })
      .annotate(Permitted, "predict")
      .annotate(OpenApi.Summary, "Run a model")
      .annotate(OpenApi.Description, inferDescription),
    HttpApiEndpoint.post("inferVersion", "/models/:model/versions/:version/infer", {
      params: version,
      ...infer,
    })
      .annotate(Permitted, "predict")
      .annotate(OpenApi.Summary, "Run a version")
      .annotate(OpenApi.Description, inferDescription),
    HttpApiEndpoint.post("repositoryIndex", "/repository/index", {
      success: Schema.Array(RepositoryEntry),
      error: [InferenceProtocolBadRequest, InferenceProtocolRequestTimeout],
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "What is in the repository")
      .annotate(OpenApi.Description, 'The body may be `{"ready": true}`, for what is ready only.'),
    HttpApiEndpoint.post("repositoryLoad", "/repository/models/:model/load", repositoryChange)
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Load a model")
      .annotate(
        OpenApi.Description,
        "Loads the version that answers requests without one, and answers when it serves. Ends an unload. Files and " +
          "configurations come with versions and the model's config: `parameters` that bring them are 501.",
      ),
    HttpApiEndpoint.post("repositoryUnload", "/repository/models/:model/unload", repositoryChange)
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Unload a model")
      .annotate(
        OpenApi.Description,
        "Unloads all versions; predictions are answered 503 until the model is loaded again. Nothing depends on a " +
          "model, so `parameters.unload_dependents` may be true or false.",
      ),
  )
  .prefix("/v2")
  .annotateMerge(OpenApi.annotations({ title: "Open Inference Protocol V2" })) {}
