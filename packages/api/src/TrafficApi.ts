/** The traffic policy of a model: how requests that name no version are spread over its versions. */
import { ShadowReport, Traffic, TrafficChange, TrafficPolicy, TrafficReason } from "@modelforge/core/model"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { changeHeaders, NotModified, putHeaders, readHeaders, Tagged } from "./ConditionalRequests.ts"
import { Page, pageQuery } from "./Page.ts"
import { Permitted } from "./Permitted.ts"
import {
  IncompatibleSplitProblem,
  ModelNotFoundProblem,
  PreconditionFailedProblem,
  TrafficNotFoundProblem,
  UnavailableProblem,
  VersionConflictProblem,
  VersionNotFoundProblem,
} from "./Problems.ts"
import { RequestTimeoutProblem } from "./ProtectionProblems.ts"

const params = { model: Schema.String }

export class TrafficApi extends HttpApiGroup.make("traffic")
  .add(
    HttpApiEndpoint.get("get", "/", {
      params,
      headers: readHeaders,
      success: [Tagged(Traffic), NotModified],
      error: [ModelNotFoundProblem, TrafficNotFoundProblem, UnavailableProblem],
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Get a model's traffic policy"),
    HttpApiEndpoint.put("set", "/", {
      params,
      query: {
        /** Splits requests even if callers may fail with a version's signature. */
        force: Schema.optionalKey(Schema.Literals(["true", "false"])),
      },
      headers: putHeaders,
      payload: Schema.Struct({ ...TrafficPolicy.fields, reason: Schema.optionalKey(TrafficReason) }),
      success: Tagged(Traffic),
      error: [
        ModelNotFoundProblem,
        VersionNotFoundProblem,
        VersionConflictProblem,
        IncompatibleSplitProblem,
        PreconditionFailedProblem,
        RequestTimeoutProblem,
        UnavailableProblem,
      ],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Say how requests without a version are spread")
      .annotate(
        OpenApi.Description,
        "Replaces the whole policy, for every request from then on. Weights sum to 100. A version with which callers " +
          "of the present one may fail is refused with the differences, unless `force=true`.",
      ),
    HttpApiEndpoint.delete("remove", "/", {
      params,
      headers: changeHeaders,
      success: HttpApiSchema.NoContent,
      error: [ModelNotFoundProblem, TrafficNotFoundProblem, PreconditionFailedProblem, UnavailableProblem],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Remove a model's traffic policy")
      .annotate(
        OpenApi.Description,
        "Requests go to the alias `production` again, else to the highest ready version.",
      ),
    HttpApiEndpoint.get("shadow", "/shadow", {
      params,
      success: Schema.Struct({ items: Schema.Array(ShadowReport) }),
      error: [ModelNotFoundProblem, TrafficNotFoundProblem, UnavailableProblem],
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "How the versions compare that shadow a model")
      .annotate(
        OpenApi.Description,
        "What the server that answers saw of each version that its traffic policy has as a shadow. Kept in memory.",
      ),
    HttpApiEndpoint.get("history", "/history", {
      params,
      query: pageQuery,
      success: Page(TrafficChange),
      error: [ModelNotFoundProblem, UnavailableProblem],
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "List the changes of a model's traffic policy, newest first"),
  )
  .prefix("/v1/models/:model/traffic")
  .annotateMerge(OpenApi.annotations({ title: "Traffic" })) {}
