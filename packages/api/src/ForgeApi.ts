/** The whole HTTP contract. Its OpenAPI document is generated from here. */
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as OpenApi from "effect/http-api/OpenApi"
import { AliasesApi } from "./AliasesApi.ts"
import { DescriptionsApi } from "./DescriptionsApi.ts"
import { InferenceProtocolApi } from "./InferenceProtocolApi.ts"
import { InspectionApi } from "./InspectionApi.ts"
import { ModelsApi } from "./ModelsApi.ts"
import { describe } from "./openApiDescription.ts"
import { PredictApi } from "./PredictApi.ts"
import { BadRequestProblem, InternalProblem, InvalidRequestProblem } from "./Problems.ts"
import { SystemApi } from "./SystemApi.ts"
import { TrafficApi } from "./TrafficApi.ts"
import { UploadsApi } from "./UploadsApi.ts"
import { VersionsApi } from "./VersionsApi.ts"

/** Renders requests that do not decode, and failures nobody expected, as problems. */
export class RequestProblems extends HttpApiMiddleware.Service<RequestProblems>()(
  "@modelforge/api/RequestProblems",
  { error: [BadRequestProblem, InvalidRequestProblem, InternalProblem] },
) {}

export class ForgeApi extends HttpApi.make("modelforge")
  .add(SystemApi)
  .add(ModelsApi.middleware(RequestProblems))
  .add(VersionsApi.middleware(RequestProblems))
  .add(UploadsApi.middleware(RequestProblems))
  .add(InspectionApi.middleware(RequestProblems))
  .add(DescriptionsApi.middleware(RequestProblems))
  .add(AliasesApi.middleware(RequestProblems))
  .add(TrafficApi.middleware(RequestProblems))
  .add(PredictApi)
  .add(InferenceProtocolApi)
  // What is not named is refused, so that nobody believes in a setting that is not there.
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error", errors: "all" })
  .annotateMerge(
    OpenApi.annotations({
      title: "ModelForge",
      version: "1",
      description: "Serves ONNX models: the Open Inference Protocol V2 under `/v2`, management under `/v1`.",
      license: { name: "Apache-2.0" },
      transform: describe,
    }),
  ) {}
