/** The whole HTTP contract. Its OpenAPI document is generated from here. */
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as OpenApi from "effect/http-api/OpenApi"
import { ForbiddenProblem, UnauthorizedProblem } from "./AccessProblems.ts"
import { AliasesApi } from "./AliasesApi.ts"
import { AuditApi } from "./AuditApi.ts"
import { AuthApi } from "./AuthApi.ts"
import { DescriptionsApi } from "./DescriptionsApi.ts"
import {
  InferenceProtocolApi,
  InferenceProtocolForbidden,
  InferenceProtocolRateLimited,
  InferenceProtocolUnauthorized,
} from "./InferenceProtocolApi.ts"
import { InspectionApi } from "./InspectionApi.ts"
import { KeysApi } from "./KeysApi.ts"
import { ModelsApi } from "./ModelsApi.ts"
import { describe } from "./openApiDescription.ts"
import { PredictApi } from "./PredictApi.ts"
import { BadRequestProblem, InternalProblem, InvalidRequestProblem } from "./Problems.ts"
import { RateLimitedProblem } from "./ProtectionProblems.ts"
import { SystemApi } from "./SystemApi.ts"
import { withSecurity } from "./security.ts"
import { TrafficApi } from "./TrafficApi.ts"
import { UploadsApi } from "./UploadsApi.ts"
import { UsersApi } from "./UsersApi.ts"
import { VersionsApi } from "./VersionsApi.ts"

/** Renders requests that do not decode, and failures nobody expected, as problems. Declares what the guard and limits answer. */
export class RequestProblems extends HttpApiMiddleware.Service<RequestProblems>()(
  "@modelforge/api/RequestProblems",
  {
    error: [
      BadRequestProblem,
      UnauthorizedProblem,
      ForbiddenProblem,
      InvalidRequestProblem,
      RateLimitedProblem,
      InternalProblem,
    ],
  },
) {}

/** Declares what the guard and limits answer to clients of V2, which have their own body for failures. */
export class InferenceProtocolRefusals extends HttpApiMiddleware.Service<InferenceProtocolRefusals>()(
  "@modelforge/api/InferenceProtocolRefusals",
  { error: [InferenceProtocolUnauthorized, InferenceProtocolForbidden, InferenceProtocolRateLimited] },
) {}

const groups = HttpApi.make("modelforge")
  .add(SystemApi)
  .add(ModelsApi.middleware(RequestProblems))
  .add(VersionsApi.middleware(RequestProblems))
  .add(UploadsApi.middleware(RequestProblems))
  .add(InspectionApi.middleware(RequestProblems))
  .add(DescriptionsApi.middleware(RequestProblems))
  .add(AliasesApi.middleware(RequestProblems))
  .add(TrafficApi.middleware(RequestProblems))
  .add(KeysApi.middleware(RequestProblems))
  .add(UsersApi.middleware(RequestProblems))
  .add(AuthApi.middleware(RequestProblems))
  .add(AuditApi.middleware(RequestProblems))
  .add(PredictApi)
  .add(InferenceProtocolApi.middleware(InferenceProtocolRefusals))
  // What is not named is refused, so that nobody believes in a setting that is not there.
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error", errors: "all" })
  .annotateMerge(
    OpenApi.annotations({
      title: "ModelForge",
      version: "1",
      description: "Serves ONNX models: the Open Inference Protocol V2 under `/v2`, management under `/v1`.",
      license: { name: "Apache-2.0" },
    }),
  )

/** The document says of each operation who may use it. */
export class ForgeApi extends groups.annotate(OpenApi.Transform, (document) =>
  withSecurity(describe(document), groups),
) {}
