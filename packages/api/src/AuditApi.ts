/** Who did what, when, to what and from where. */
import { AuditAction, AuditEntry, AuditTargetType } from "@modelforge/core/model"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { Page, pageQuery } from "./Page.ts"
import { Permitted } from "./Permitted.ts"
import { BadRequestProblem, UnavailableProblem } from "./Problems.ts"

export const AuditEntryResource = Schema.Struct(AuditEntry.fields)

/** Whether the log is as it was written. */
export const AuditVerdict = Schema.Struct({
  intact: Schema.Boolean,
  /** Entries that were looked at; null where one does not fit. */
  entries: Schema.NullOr(Schema.Int),
  /** The first entry that does not fit; null: all do. */
  sequence: Schema.NullOr(Schema.Int),
  /** How it does not fit; null: all do. */
  detail: Schema.NullOr(Schema.String),
})
export type AuditVerdict = typeof AuditVerdict.Type

export class AuditApi extends HttpApiGroup.make("audit")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: {
        ...pageQuery,
        /** `key:<id>` or `user:<email>`. */
        actor: Schema.optionalKey(Schema.String),
        action: Schema.optionalKey(AuditAction),
        /** A kind of target. */
        type: Schema.optionalKey(AuditTargetType),
        /** One target of that kind, which has to be given with it. */
        target: Schema.optionalKey(Schema.String),
        /** From this moment on. */
        from: Schema.optionalKey(Schema.DateTimeUtcFromString),
        /** Before this moment. */
        to: Schema.optionalKey(Schema.DateTimeUtcFromString),
      },
      success: Page(AuditEntryResource),
      error: [BadRequestProblem, UnavailableProblem],
    })
      .annotate(Permitted, "admin")
      .annotate(OpenApi.Summary, "List the audit log, newest first"),
    HttpApiEndpoint.get("verify", "/verify", { success: AuditVerdict, error: UnavailableProblem })
      .annotate(Permitted, "admin")
      .annotate(OpenApi.Summary, "Whether the audit log is as it was written")
      .annotate(OpenApi.Description, "Computes the chain of hashes again, from the first entry to the last."),
  )
  .prefix("/v1/audit")
  .annotateMerge(OpenApi.annotations({ title: "Audit" })) {}
