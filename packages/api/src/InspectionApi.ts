/** Looking into versions: the graph of one, and what differs between two. */
import { ModelGraph, VersionComparison } from "@modelforge/core/model"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { NotModified, readHeaders, Tagged } from "./ConditionalRequests.ts"
import { Permitted } from "./Permitted.ts"
import {
  GraphNotFoundProblem,
  ModelNotFoundProblem,
  UnavailableProblem,
  VersionNotFoundProblem,
} from "./Problems.ts"

const params = { model: Schema.String, version: Schema.String }
const notFound = [ModelNotFoundProblem, VersionNotFoundProblem, UnavailableProblem] as const

export class InspectionApi extends HttpApiGroup.make("inspection")
  .add(
    HttpApiEndpoint.get("graph", "/graph", {
      params,
      headers: readHeaders,
      success: [Tagged(ModelGraph), NotModified],
      error: [...notFound, GraphNotFoundProblem],
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Get the graph of a version, laid out for a viewer")
      .annotate(
        OpenApi.Description,
        "The first view is the whole model; more than 250 nodes are folded into groups, whose contents are views of " +
          "their own, like the bodies of If, Loop and Scan. The `ETag` is that of the artifact, from which the graph " +
          "was read once: with `If-None-Match` the answer is an empty 304.",
      ),
    HttpApiEndpoint.get("compare", "/compare", {
      params,
      query: {
        /** The other version, by number or alias. */
        to: Schema.NonEmptyString,
        /** The other version's model. Default: the same model. */
        toModel: Schema.optionalKey(Schema.NonEmptyString),
      },
      success: VersionComparison,
      error: notFound,
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Compare a version with another one")
      .annotate(
        OpenApi.Description,
        "What changes when `to` takes the place of this version. Changes of the signature are breaking when a caller " +
          "of this version may fail with the other: an input added or removed, an output removed, another datatype or " +
          "number of dimensions, an input that takes fewer sizes, an output whose fixed size is another.",
      ),
  )
  .prefix("/v1/models/:model/versions/:version")
  .annotateMerge(OpenApi.annotations({ title: "Inspection" })) {}
