/** Models. Their versions and aliases have groups of their own. */
import { Description, Labels, Model, ModelConfig, ModelDraft, ModelState, Tags } from "@modelforge/core/model"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { changeHeaders, NotModified, readHeaders, Tagged } from "./ConditionalRequests.ts"
import { IdempotentRequests, idempotencyHeaders, Repetition } from "./IdempotentRequests.ts"
import { Page, pageQuery } from "./Page.ts"
import { Permitted } from "./Permitted.ts"
import {
  ModelExistsProblem,
  ModelNotFoundProblem,
  PreconditionFailedProblem,
  UnavailableProblem,
} from "./Problems.ts"
import { RequestTimeoutProblem } from "./ProtectionProblems.ts"

/** One label of a model, as a query says it. */
const LabelQuery = Schema.String.check(
  Schema.isPattern(/:/, { message: "a label to search for is written key:value" }),
)

/** A model as `/v1` shows it. */
export const ModelResource = Schema.Struct(Model.fields)
export type ModelResource = typeof ModelResource.Type

export const ModelChanges = Schema.Struct({
  description: Schema.optionalKey(Description),
  tags: Schema.optionalKey(Tags),
  labels: Schema.optionalKey(Labels),
})

const params = { model: Schema.String }

export class ModelsApi extends HttpApiGroup.make("models")
  .add(
    HttpApiEndpoint.post("create", "/", {
      headers: idempotencyHeaders,
      payload: ModelDraft,
      success: Tagged(ModelResource.pipe(HttpApiSchema.status(201))),
      error: [ModelExistsProblem, RequestTimeoutProblem, UnavailableProblem],
    })
      .middleware(IdempotentRequests)
      .annotate(Repetition, { repeatable: true, keepsAnswer: true, streamed: false })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Create a model"),
    HttpApiEndpoint.get("list", "/", {
      query: {
        ...pageQuery,
        search: Schema.optionalKey(Schema.String),
        tag: Schema.optionalKey(Schema.String),
        /** `key:value`. */
        label: Schema.optionalKey(LabelQuery),
        state: Schema.optionalKey(ModelState),
      },
      success: Page(ModelResource),
      error: UnavailableProblem,
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "List models by name"),
    HttpApiEndpoint.get("get", "/:model", {
      params,
      headers: readHeaders,
      success: [Tagged(ModelResource), NotModified],
      error: [ModelNotFoundProblem, UnavailableProblem],
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Get a model"),
    HttpApiEndpoint.patch("update", "/:model", {
      params,
      headers: changeHeaders,
      payload: ModelChanges,
      success: Tagged(ModelResource),
      error: [ModelNotFoundProblem, PreconditionFailedProblem, RequestTimeoutProblem, UnavailableProblem],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Change a model's description, tags or labels"),
    HttpApiEndpoint.delete("remove", "/:model", {
      params,
      headers: changeHeaders,
      success: HttpApiSchema.NoContent,
      error: [ModelNotFoundProblem, PreconditionFailedProblem, UnavailableProblem],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Delete a model and all its versions"),
    HttpApiEndpoint.get("config", "/:model/config", {
      params,
      headers: readHeaders,
      success: [Tagged(ModelConfig), NotModified],
      error: [ModelNotFoundProblem, UnavailableProblem],
    })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "How a model is served"),
    HttpApiEndpoint.put("configure", "/:model/config", {
      params,
      headers: changeHeaders,
      payload: ModelConfig,
      success: Tagged(ModelConfig),
      error: [ModelNotFoundProblem, PreconditionFailedProblem, RequestTimeoutProblem, UnavailableProblem],
    })
      .annotate(Permitted, "write")
      .annotate(OpenApi.Summary, "Say how a model is served")
      .annotate(
        OpenApi.Description,
        "Replaces the whole config; what is left out is the server's to choose. In force at once: batching and queue " +
          "as they are, the rest by loading the model anew beside the one that serves.",
      ),
  )
  .prefix("/v1/models")
  .annotateMerge(OpenApi.annotations({ title: "Models" })) {}
