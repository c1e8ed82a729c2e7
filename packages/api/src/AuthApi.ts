/** Signing in, and who a caller is. */
import { ModelName, Role, Scope, User } from "@modelforge/core/model"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { LockedOutProblem, LoginRefusedProblem } from "./AccessProblems.ts"
import { Permitted } from "./Permitted.ts"
import { UnavailableProblem } from "./Problems.ts"
import { RequestTimeoutProblem } from "./ProtectionProblems.ts"

export const Login = Schema.Struct({
  email: Schema.String.check(Schema.isMaxLength(254)),
  password: Schema.RedactedFromValue(Schema.String.check(Schema.isMaxLength(1024))),
})

const { id, email, name, role, sessionEpoch } = User.fields

export const LoginAnswer = Schema.Struct({
  user: Schema.Struct({
    id,
    email,
    name,
    role,
    /** Goes into the session that begins: it ends when the user's epoch moves on. */
    sessionEpoch,
  }),
})

/** Who the server takes a caller for. */
export const Caller = Schema.Struct({
  /** `open` where the server asks for no key yet; `owner` on the Unix socket of the data folder. */
  kind: Schema.Literals(["open", "owner", "key", "user"]),
  /** Of the key or the user; null for those without one. */
  id: Schema.NullOr(Schema.String),
  name: Schema.NullOr(Schema.String),
  /** Of a key; null for others. */
  scopes: Schema.NullOr(Schema.Array(Scope)),
  /** Of a user; null for others. */
  role: Schema.NullOr(Role),
  /** The only models that the caller may use; null: all. */
  models: Schema.NullOr(Schema.Array(ModelName)),
})
export type Caller = typeof Caller.Type

export class AuthApi extends HttpApiGroup.make("auth")
  .add(
    HttpApiEndpoint.post("login", "/v1/auth/login", {
      payload: Login,
      success: LoginAnswer,
      error: [LoginRefusedProblem, LockedOutProblem, RequestTimeoutProblem, UnavailableProblem],
    })
      .annotate(Permitted, "login")
      .annotate(OpenApi.Summary, "Check a password")
      .annotate(
        OpenApi.Description,
        "For the dashboard, which makes the session. The answer to a refused one is the same for every reason; after " +
          "repeated failures it is 429 with `Retry-After`.",
      ),
    HttpApiEndpoint.get("me", "/v1/me", { success: Caller })
      .annotate(Permitted, "read")
      .annotate(OpenApi.Summary, "Who the server takes the caller for"),
  )
  .annotateMerge(OpenApi.annotations({ title: "Signing in" })) {}
