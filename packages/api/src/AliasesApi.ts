/** Aliases: names that point at versions, with their histories. */
import { Alias, AliasMove, AliasName, MoveReason, VersionNumber } from "@modelforge/core/model"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { changeHeaders, NotModified, putHeaders, readHeaders, Tagged } from "./ConditionalRequests.ts"
import { IdempotentRequests, idempotencyHeaders } from "./IdempotentRequests.ts"
import { Page, pageQuery } from "./Page.ts"
import { Permitted } from "./Permitted.ts"
import {
  AliasConflictProblem,
  AliasNotFoundProblem,
  IncompatibleSignatureProblem,
  ModelNotFoundProblem,
  PreconditionFailedProblem,
  TrafficConflictProblem,
  UnavailableProblem,
  VersionConflictProblem,
  VersionNotFoundProblem,
} from "./Problems.ts"
import { RequestTimeoutProblem } from "./ProtectionProblems.ts"

const params = { model: Schema.String, alias: Schema.String }
const Reason = Schema.optionalKey(MoveReason)

export class AliasesApi extends HttpApiGroup.make("aliases")
  .add(
    HttpApiEndpoint.get("get", "/:alias", {
      params,
      headers: readHeaders,
      success: [Tagged(Alias), NotModified],
      error: [ModelNotFoundProblem, AliasNotFoundProblem, UnavailableProblem],
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Get an alias"),
    HttpApiEndpoint.put("move", "/:alias", {
      params: { ...params, alias: AliasName },
      query: {
        /** Moves the alias even if its callers may fail with the version's signature. */
        force: Schema.optionalKey(Schema.Literals(["true", "false"])),
        /** Removes the model's traffic policy with a move of `production`, which is refused otherwise. */
        clearTraffic: Schema.optionalKey(Schema.Literals(["true", "false"])),
      },
      headers: putHeaders,
      payload: Schema.Struct({ version: VersionNumber, reason: Reason }),
      success: Tagged(Alias),
      error: [
        ModelNotFoundProblem,
        VersionNotFoundProblem,
        VersionConflictProblem,
        AliasConflictProblem,
        IncompatibleSignatureProblem,
        TrafficConflictProblem,
        PreconditionFailedProblem,
        RequestTimeoutProblem,
        UnavailableProblem,
      ],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Point an alias at a version")
      .annotate(
        OpenApi.Description,
        "Every request to the alias goes to that version from then on. A version with which callers of the present " +
          "one may fail is refused with the differences, unless `force=true`. While the model has a traffic policy, " +
          "`production` is moved only with `clearTraffic=true`, which removes the policy.",
      ),
    HttpApiEndpoint.delete("remove", "/:alias", {
      params,
      headers: changeHeaders,
      success: HttpApiSchema.NoContent,
      error: [
        ModelNotFoundProblem,
        AliasNotFoundProblem,
        TrafficConflictProblem,
        PreconditionFailedProblem,
        UnavailableProblem,
      ],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Delete an alias"),
    HttpApiEndpoint.get("history", "/:alias/history", {
      params,
      query: pageQuery,
      success: Page(AliasMove),
      error: [ModelNotFoundProblem, AliasNotFoundProblem, UnavailableProblem],
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "List the moves of an alias, newest first"),
    HttpApiEndpoint.post("rollback", "/:alias/rollback", {
      params,
      headers: idempotencyHeaders,
      payload: [Schema.Null, Schema.Struct({ reason: Reason })],
      success: Tagged(Alias),
      error: [
        ModelNotFoundProblem,
        AliasNotFoundProblem,
        AliasConflictProblem,
        TrafficConflictProblem,
        RequestTimeoutProblem,
        UnavailableProblem,
      ],
    })
      // Not repeatable: a second rollback goes further back.
      .middleware(IdempotentRequests)
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Point an alias at the version before")
      .annotate(
        OpenApi.Description,
        "Versions that are gone or not ready are passed over. A second rollback goes further back. The body may be " +
          "left out.",
      ),
  )
  .prefix("/v1/models/:model/aliases")
  .annotateMerge(OpenApi.annotations({ title: "Aliases" })) {}
