/** Predictions in JSON for people. Served by the data plane; declared here so that it is documented and typed. */
import { ModelName, VersionNumber } from "@modelforge/core/model"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { ForbiddenProblem, UnauthorizedProblem } from "./AccessProblems.ts"
import { Permitted } from "./Permitted.ts"
import {
  BadRequestProblem,
  DeadlineExceededProblem,
  InternalProblem,
  InvalidInputsProblem,
  InvalidRequestProblem,
  ModelNotFoundProblem,
  OverloadedProblem,
  RunFailedProblem,
  TooLargeProblem,
  UnavailableProblem,
  UnsupportedMediaTypeProblem,
  VersionNotFoundProblem,
} from "./Problems.ts"
import { RateLimitedProblem, RequestTimeoutProblem } from "./ProtectionProblems.ts"

/** A tensor as nested arrays along its shape, or a bare value for a scalar. */
const Nested = Schema.Unknown

const Rest = [Schema.Record(Schema.String, Schema.Unknown)] as const

/** Members of other names mean nothing here, as in V2. */
export const PredictRequest = Schema.StructWithRest(
  Schema.Struct({
    /** One entry an input of the signature. 64-bit integers are exact, however long. */
    inputs: Schema.Record(Schema.String, Nested),
    /** Names of the outputs wanted. Default: all. */
    outputs: Schema.optionalKey(Schema.Array(Schema.String)),
    /** A number or an alias. Default: `production`, else the highest ready version. */
    version: Schema.optionalKey(Schema.Union([Schema.String, Schema.Int])),
    parameters: Schema.optionalKey(
      Schema.StructWithRest(
        Schema.Struct({
          /** Microseconds that the request may take. Default 30 seconds, at most 5 minutes. */
          timeout: Schema.optionalKey(Schema.Int),
          /** 1 is served first; 0, the default, stands for 100. */
          priority: Schema.optionalKey(Schema.Int),
        }),
        Rest,
      ),
    ),
  }),
  Rest,
)
export type PredictRequest = typeof PredictRequest.Type

export const PredictResponse = Schema.Struct({
  model: ModelName,
  version: VersionNumber,
  /** Nested arrays along each output's shape. NaN and infinities are the strings `NaN`, `Infinity`, `-Infinity`. */
  outputs: Schema.Record(Schema.String, Nested),
  cache: Schema.Literals(["hit", "miss", "coalesced", "bypass"]),
  timings: Schema.Struct({ queueMs: Schema.Number, computeMs: Schema.Number, totalMs: Schema.Number }),
  /** The request's id: `x-request-id` when it was sent. */
  id: Schema.String,
})
export type PredictResponse = typeof PredictResponse.Type

export class PredictApi extends HttpApiGroup.make("predict")
  .add(
    HttpApiEndpoint.post("predict", "/v1/models/:model/predict", {
      params: { model: Schema.String },
      payload: PredictRequest,
      success: PredictResponse,
      error: [
        BadRequestProblem,
        UnauthorizedProblem,
        ForbiddenProblem,
        ModelNotFoundProblem,
        VersionNotFoundProblem,
        RequestTimeoutProblem,
        TooLargeProblem,
        UnsupportedMediaTypeProblem,
        InvalidRequestProblem,
        InvalidInputsProblem,
        RunFailedProblem,
        RateLimitedProblem,
        InternalProblem,
        OverloadedProblem,
        UnavailableProblem,
        DeadlineExceededProblem,
      ],
    })
      .annotate(Permitted, "predict")
      .annotate(OpenApi.Summary, "Run a model"),
  )
  .annotateMerge(OpenApi.annotations({ title: "Predict" })) {}
