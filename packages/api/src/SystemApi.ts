/** Whether the process is up, and whether it can take work. */

import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { Permitted } from "./Permitted.ts"

export const Readiness = Schema.Struct({
  ready: Schema.Boolean,
  state: Schema.Literals(["starting", "ready", "draining"]),
  /** What is missing until the server is ready; empty when it is. */
  waitingFor: Schema.Array(Schema.String),
  /**
   * Since when the registry's database has been out of reach; absent while it is not. Predictions go on with what was
   * known then; changes are refused, and those made on other servers are not known here.
   */
  registryOutOfReachSince: Schema.optionalKey(Schema.DateTimeUtcFromString),
})
export type Readiness = typeof Readiness.Type

export class SystemApi extends HttpApiGroup.make("system", { topLevel: true })
  .add(
    HttpApiEndpoint.get("healthz", "/healthz", { success: Schema.Struct({ ok: Schema.Boolean }) })
      .annotate(Permitted, "public")
      .annotate(OpenApi.Summary, "The process is up"),
    HttpApiEndpoint.get("readyz", "/readyz", {
      success: [Readiness, Readiness.pipe(HttpApiSchema.status(503))],
    })
      .annotate(Permitted, "public")
      .annotate(OpenApi.Summary, "The server can take work"),
  )
  .annotateMerge(OpenApi.annotations({ title: "System" })) {}
