/** Keys that programs authenticate with. */
import { ApiKey, KeyDraft, maxOverlapSeconds } from "@modelforge/core/model"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { KeyNotFoundProblem, KeyRevokedProblem } from "./AccessProblems.ts"
import { Page, pageQuery } from "./Page.ts"
import { Permitted } from "./Permitted.ts"
import { UnavailableProblem } from "./Problems.ts"
import { RequestTimeoutProblem } from "./ProtectionProblems.ts"

/** A key as `/v1` shows it: never with its secret. */
export const KeyResource = Schema.Struct(ApiKey.fields)
export type KeyResource = typeof KeyResource.Type

/** A key with what authenticates. It is in this answer and nowhere else, ever. */
export const IssuedKeyResource = Schema.Struct({ ...ApiKey.fields, secret: Schema.String })

const { name, scopes, models, expiresAt, rateLimit, quota } = KeyDraft.fields

export const NewKey = Schema.Struct({
  name,
  scopes,
  /** The only models that the key is for. Default: all. */
  models: Schema.optionalKey(models),
  /** In the future. Default: it does not expire. */
  expiresAt: Schema.optionalKey(expiresAt),
  /** Default: the server's own. */
  rateLimit: Schema.optionalKey(rateLimit),
  /** Default: none. */
  quota: Schema.optionalKey(quota),
})
export type NewKey = typeof NewKey.Type

/** What is not named is refused, so that nobody believes in a limit that is not there. */
const strict = { onExcessProperty: "error" } as const

const params = { key: Schema.String }

export class KeysApi extends HttpApiGroup.make("keys")
  .add(
    HttpApiEndpoint.post("create", "/", {
      payload: NewKey,
      success: IssuedKeyResource.pipe(HttpApiSchema.status(201)),
      error: [RequestTimeoutProblem, UnavailableProblem],
    })
      .annotate(Permitted, "admin")
      .annotate(HttpApi.PayloadParseOptions, strict)
      .annotate(OpenApi.Summary, "Create a key")
      .annotate(
        OpenApi.Description,
        "`secret` is what clients send, and is shown this once. With the first key the server asks for one.",
      ),
    HttpApiEndpoint.get("list", "/", {
      query: pageQuery,
      success: Page(KeyResource),
      error: UnavailableProblem,
    })
      .annotate(Permitted, "admin")
      .annotate(OpenApi.Summary, "List keys, newest first, revoked ones too"),
    HttpApiEndpoint.get("get", "/:key", {
      params,
      success: KeyResource,
      error: [KeyNotFoundProblem, UnavailableProblem],
    })
      .annotate(Permitted, "admin")
      .annotate(OpenApi.Summary, "Get a key"),
    HttpApiEndpoint.delete("revoke", "/:key", {
      params,
      success: HttpApiSchema.NoContent,
      error: [KeyNotFoundProblem, UnavailableProblem],
    })
      .annotate(Permitted, "admin")
      .annotate(OpenApi.Summary, "Revoke a key for good"),
    HttpApiEndpoint.post("rotate", "/:key/rotate", {
      params,
      payload: [
        Schema.Null,
        Schema.Struct({
          /** How long the secret before goes on being valid. Default: not at all. */
          overlapSeconds: Schema.optionalKey(
            Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxOverlapSeconds })),
          ),
        }),
      ],
      success: IssuedKeyResource,
      error: [KeyNotFoundProblem, KeyRevokedProblem, RequestTimeoutProblem, UnavailableProblem],
    })
      .annotate(Permitted, "admin")
      .annotate(HttpApi.PayloadParseOptions, strict)
      .annotate(OpenApi.Summary, "Give a key a new secret")
      .annotate(
        OpenApi.Description,
        "`secret` is shown this once. The one before is valid for `overlapSeconds` more. The body may be left out.",
      ),
  )
  .prefix("/v1/keys")
  .annotateMerge(OpenApi.annotations({ title: "Keys" })) {}
