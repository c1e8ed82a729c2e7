/** Descriptions of single models, for generators of clients and for people who look what a model takes. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { NotModified, readHeaders, Tagged } from "./ConditionalRequests.ts"
import { Permitted } from "./Permitted.ts"
import { ModelNotFoundProblem, UnavailableProblem, VersionNotFoundProblem } from "./Problems.ts"

/** An OpenAPI 3.1 document. */
const Description = Schema.Record(Schema.String, Schema.Unknown)

const answers = {
  headers: readHeaders,
  success: [Tagged(Description), NotModified],
  error: [ModelNotFoundProblem, VersionNotFoundProblem, UnavailableProblem],
} as const

const description =
  "An OpenAPI 3.1 document of its predictions, with schemas of the inputs and outputs and an example that works, all made " +
  "of the signature."

export class DescriptionsApi extends HttpApiGroup.make("descriptions")
  .add(
    HttpApiEndpoint.get("model", "/openapi.json", { params: { model: Schema.String }, ...answers })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Describe a model")
      .annotate(
        OpenApi.Description,
        `${description} Of the version that \`production\` points at, else of the highest that is ready.`,
      ),
    HttpApiEndpoint.get("version", "/versions/:version/openapi.json", {
      params: { model: Schema.String, version: Schema.String },
      ...answers,
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Describe a version of a model")
      .annotate(OpenApi.Description, description),
  )
  .prefix("/v1/models/:model")
  .annotateMerge(OpenApi.annotations({ title: "Descriptions" })) {}
